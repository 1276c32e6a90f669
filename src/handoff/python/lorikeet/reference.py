"""Log-probabilities of DPO's reference: the base alone, or the adapter that the run began from. Computed once, before training."""

import contextlib

import torch

from .losses import sums_of_log_probs


def reference_log_probs(model, samples, positions, encoder, args, starts_from_adapter):
    """By position, [2] for each pair, chosen first; every process computes its part and all know all."""
    model.to(args.device).eval()
    if starts_from_adapter:
        model.set_adapter("reference")
    found = {}
    with torch.no_grad(), contextlib.nullcontext() if starts_from_adapter else model.disable_adapter():
        for position in sorted(positions)[args.process_index :: args.world_size]:
            batch = {key: value.to(args.device) for key, value in encoder.collate(samples[position]).items()}
            labels = batch.pop("labels")
            found[position] = sums_of_log_probs(model(**batch, use_cache=False).logits, labels).cpu()
    if starts_from_adapter:
        model.set_adapter("default")
    model.train()
    if args.world_size > 1:
        parts = [None] * args.world_size
        torch.distributed.all_gather_object(parts, found)
        found = {position: value for part in parts for position, value in part.items()}
    return found
