"""Which samples make which step: the page's own order, a pure function of seed, settings and number of samples."""

import math

MASK = 0xFFFFFFFF
SHUFFLE, SELECT = 1, 3


def philox4x32(counter, key):
    """Four 32-bit words of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def words(seed, stream, purpose):
    """Endless 32-bit words."""
    block = 0
    while True:
        yield from philox4x32((block, 0, stream, purpose), (seed, 0))
        block += 1


def permutation(count, seed, stream, purpose):
    """Random order of 0 … count - 1 (Fisher–Yates)."""
    source = words(seed, stream, purpose)

    def below(bound):
        limit = (1 << 32) // bound * bound
        word = next(source)
        while word >= limit:
            word = next(source)
        return word % bound

    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def validation_choice(count, config):
    """Positions of the validation samples that are used, the same ones every time."""
    limit = config["eval_num_samples"]
    if limit == 0 or limit >= count:
        return list(range(count))
    if config["eval_sample_selection"] == "first":
        return list(range(limit))
    return sorted(permutation(count, config["seed"], 0, SELECT)[:limit])


class StepPlan:
    """Micro-batches of each optimizer step as the page lays them out: the last short batch of an epoch is kept."""

    def __init__(self, config, count):
        self.count, self.seed, self.save_steps = count, config["seed"], config["save_steps"]
        self.batch = config["per_device_train_batch_size"]
        self.accumulation = config["gradient_accumulation_steps"]
        self.per_epoch = math.ceil(count / self.batch)
        self.steps_per_epoch = math.ceil(self.per_epoch / self.accumulation)
        self.total = config["max_steps"] if config["max_steps"] > 0 else math.ceil(config["num_train_epochs"] * self.steps_per_epoch)
        self._epoch, self._order = None, None

    def micro_batches(self, step):
        """Sample positions of each micro-batch of the step that follows `step` finished ones."""
        epoch, within = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, permutation(self.count, self.seed, epoch, SHUFFLE)
        first = within * self.accumulation
        last = min(first + self.accumulation, self.per_epoch)
        return [self._order[micro * self.batch : (micro + 1) * self.batch] for micro in range(first, last)]

    def save_due(self, step):
        return self.save_steps > 0 and step % self.save_steps == 0

    def epoch_after(self, step):
        """Epochs done, fractional, counted in micro-batches."""
        epoch, within = divmod(step, self.steps_per_epoch)
        return epoch + min(within * self.accumulation, self.per_epoch) / self.per_epoch


def shares(micro_batches, weights, processes, slots):
    """
    Cuts one step for `processes` processes with `slots` micro-batches each: lists of (sample, weight). Every process gets
    the same number of slots; where there is nothing left, a slot repeats a sample with weight 0, which adds no gradient.
    """
    samples = [pair for batch, row in zip(micro_batches, weights) for pair in zip(batch, row)]
    size = math.ceil(len(samples) / (processes * slots))
    cut = [samples[i * size : (i + 1) * size] or [(samples[0][0], 0.0)] for i in range(processes * slots)]
    return [cut[process * slots : (process + 1) * slots] for process in range(processes)]
