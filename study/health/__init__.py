"""What `study.doctor` looks at, before money is spent."""
