"""Losses of the page: token-weighted SFT, and DPO with its relatives (formulas as in TRL's DPOTrainer)."""

import math

import torch
from torch.nn.functional import cross_entropy, logsigmoid

IGNORE = -100


def sums_of_log_probs(logits, labels):
    """Σ log p over each row's label tokens, float32. logits [rows, length, vocabulary], labels [rows, length]."""
    targets = labels[:, 1:].reshape(-1)
    nll = cross_entropy(logits[:, :-1].float().reshape(len(targets), -1), targets, ignore_index=IGNORE, reduction="none")
    return -nll.view(len(labels), -1).sum(1)


def dpo_term(kind, chosen, rejected, chosen_tokens, rejected_tokens, beta, smoothing):
    """
    Loss of each pair. chosen, rejected: log-probabilities of the policy minus those of the reference.
    Raises ValueError for a loss that is not known.
    """
    x = beta * (chosen - rejected)
    if kind == "sigmoid":
        return -logsigmoid(x)
    if kind == "cdpo":
        return -(1 - smoothing) * logsigmoid(x) - smoothing * logsigmoid(-x)
    if kind == "robust":
        return (-(1 - smoothing) * logsigmoid(x) + smoothing * logsigmoid(-x)) / (1 - 2 * smoothing)
    if kind == "hinge":
        return torch.relu(1 - x)
    if kind == "ipo":
        return (chosen / chosen_tokens - rejected / rejected_tokens - 1 / (2 * beta)) ** 2
    if kind == "sigmoid_norm":
        return -logsigmoid(beta * (chosen / chosen_tokens - rejected / rejected_tokens))
    if kind == "exo_pair":
        epsilon = max(smoothing, 1e-3)
        return torch.sigmoid(x) * (logsigmoid(x) - math.log(1 - epsilon)) + torch.sigmoid(-x) * (logsigmoid(-x) - math.log(epsilon))
    if kind == "nca_pair":
        return -logsigmoid(beta * chosen) - 0.5 * logsigmoid(-beta * chosen) - 0.5 * logsigmoid(-beta * rejected)
    if kind == "bco_pair":
        return -logsigmoid(beta * chosen) - logsigmoid(-beta * rejected)
    if kind == "sppo_hard":
        return (chosen - 0.5 / beta) ** 2 + (rejected + 0.5 / beta) ** 2
    if kind == "apo_zero":
        return 1 - torch.sigmoid(beta * chosen) + torch.sigmoid(beta * rejected)
    if kind == "apo_down":
        return torch.sigmoid(beta * chosen) + 1 - torch.sigmoid(x)
    raise ValueError(f"loss_type {kind!r} is not known here")


def dpo_losses(policy, reference, tokens, config, pairs, chosen_tokens):
    """
    Each pair's share of the step's loss. policy, reference, tokens: [pairs here, 2], chosen first.
    pairs, chosen_tokens: of the whole step, over which means are taken.
    """
    kinds = config["loss_type"] if isinstance(config["loss_type"], list) else [config["loss_type"]]
    weights = config.get("loss_weights") or [1.0] * len(kinds)
    chosen, rejected = (policy - reference).unbind(1)
    loss = torch.zeros_like(chosen)
    for kind, weight in zip(kinds, weights):
        if kind == "sft":
            loss = loss - weight * policy[:, 0] / chosen_tokens
        else:
            loss = loss + weight * dpo_term(kind, chosen, rejected, tokens[:, 0], tokens[:, 1], config["beta"], config["label_smoothing"]) / pairs
    return loss
