// Rotates pairs (i, i + ROTARY/2) of the first ROTARY values of every head of D; the rest passes.
// NORM first applies RMSNorm with `weight` over the whole head. One thread a head.
const HALF = ROTARY / 2u;

struct Place { row: u32, x: u32, rotated: u32, inside: bool }
fn placeOf(id: vec3<u32>) -> Place {
  let index = id.x + id.y * 65535u * THREADS;
  let row = index / params.heads;
  let head = index % params.heads;
  return Place(
    row,
    row * params.xStride + params.xOffset + head * params.xHeadStride,
    row * params.rotatedStride + params.rotatedOffset + head * D,
    index < params.rows * params.heads,
  );
}

fn inverseRms(base: u32) -> f32 {
  if (!NORM) { return 1.0; }
  var sum = 0.0;
  for (var i = 0u; i < D; i++) { sum += x[base + i] * x[base + i]; }
  return 1.0 / sqrt(sum / f32(D) + params.eps);
}
fn gain(i: u32) -> f32 {
  if (NORM) { return weight[i]; }
  return 1.0;
}
