// Softmax attention over segments of packed rows. Scores are never stored: forward keeps log Σ exp per row and head,
// backward rebuilds probabilities from it. Query head h reads key/value head h / GROUP.
const D4 = D / 4u;

fn qAt(row: u32, head: u32) -> u32 { return (row * params.qStride + params.qOffset) / 4u + head * D4; }
fn kAt(row: u32, head: u32) -> u32 { return (row * params.kStride + params.kOffset) / 4u + head * D4; }
fn vAt(row: u32, head: u32) -> u32 { return (row * params.vStride + params.vOffset) / 4u + head * D4; }
fn oAt(row: u32, head: u32) -> u32 { return (row * HEADS + head) * D4; }

// What a query sees: its prefix (part 0), then rows of its own segment.
const FIRST_PART = select(1u, 0u, PREFIXED);
fn keysOf(row: u32, part: u32) -> vec2<u32> {
  if (part == 0u) { return prefixes[row]; }
  let segment = bounds[row];
  return vec2<u32>(segment.x, select(segment.y, row + 1u, params.causal != 0u));
}
// Who sees a key; those who continue a prefix follow it.
fn queriesOf(row: u32) -> vec2<u32> {
  let segment = bounds[row];
  return vec2<u32>(select(segment.x, row, params.causal != 0u), segment.y);
}
