"""One study on Ray: preflight, resources, the Tune driver, the trials and their workers."""
