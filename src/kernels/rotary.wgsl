// Rotates pairs (i, i + ROTARY/2) of the first ROTARY values of every head of D; the rest passes.
// NORM first applies RMSNorm with `weight` over the whole head. LANES threads side by side share a head.
const HALF = ROTARY / 2u;

struct Place { row: u32, x: u32, rotated: u32, inside: bool }
// Beyond the last head: that one again, which `inside` forbids to store.
fn placeOf(group: vec3<u32>, lid: u32) -> Place {
  let wanted = (group.x + group.y * 65535u) * (THREADS / LANES) + lid / LANES;
  let index = min(wanted, params.rows * params.heads - 1u);
  let row = index / params.heads;
  let head = index % params.heads;
  return Place(
    row,
    row * params.xStride + params.xOffset + head * params.xHeadStride,
    row * params.rotatedStride + params.rotatedOffset + head * D,
    index == wanted,
  );
}

fn inverseRms(base: u32, lid: u32) -> f32 {
  if (!NORM) { return 1.0; }
  var sum = 0.0;
  for (var i = lid % LANES; i < D; i += LANES) { sum += x[base + i] * x[base + i]; }
  return 1.0 / sqrt(overHead(sum, lid) / f32(D) + params.eps);
}
fn gain(i: u32) -> f32 {
  if (NORM) { return weight[i]; }
  return 1.0;
}
