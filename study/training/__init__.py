"""From training pairs to an encoder: sampler, encoder, loss, checkpoints, export."""
