/** Sizes that the engine keeps to and that plans and forecasts must count with. */

/** Row counts of packed batches are multiples of this, so that buffer sizes repeat. */
export const ROW_BUCKET = 64;

/** Logits held at once, in values; 64 MiB of float32. */
export const MAX_LOGITS = 1 << 24;
