// Softmax attention over segments of packed rows. Scores are never stored: forward keeps log Σ exp per row and head,
// backward rebuilds probabilities from it. Query head h reads key/value head h / GROUP.
const D4 = D / 4u;

fn qAt(row: u32, head: u32) -> u32 { return (row * params.qStride + params.qOffset) / 4u + head * D4; }
fn kAt(row: u32, head: u32) -> u32 { return (row * params.kStride + params.kOffset) / 4u + head * D4; }
fn vAt(row: u32, head: u32) -> u32 { return (row * params.vStride + params.vOffset) / 4u + head * D4; }
fn oAt(row: u32, head: u32) -> u32 { return (row * HEADS + head) * D4; }
