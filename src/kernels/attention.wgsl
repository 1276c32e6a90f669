// Softmax attention over segments of packed rows. Scores are never stored: forward keeps log Σ exp per row and head,
// backward rebuilds probabilities from it. Query head h reads key/value head h / GROUP.
struct Params { rows: u32, scale: f32, qStride: u32, qOffset: u32, kStride: u32, kOffset: u32, vStride: u32, vOffset: u32, causal: u32, dvStride: u32, dvOffset: u32 }
@group(0) @binding(0) var<storage, read> q: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> k: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
// first and one-past-last row of each row's segment
@group(0) @binding(3) var<storage, read> bounds: array<vec2<u32>>;
@group(1) @binding(0) var<uniform> params: Params;
const D4 = D / 4u;

fn qAt(row: u32, head: u32) -> u32 { return (row * params.qStride + params.qOffset) / 4u + head * D4; }
fn kAt(row: u32, head: u32) -> u32 { return (row * params.kStride + params.kOffset) / 4u + head * D4; }
fn vAt(row: u32, head: u32) -> u32 { return (row * params.vStride + params.vOffset) / 4u + head * D4; }
fn oAt(row: u32, head: u32) -> u32 { return (row * HEADS + head) * D4; }
