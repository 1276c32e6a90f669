// Needs rotary.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let place = placeOf(group, lid);
  let base = place.x;
  let out = place.rotated;
  let scale = inverseRms(base, lid);
  if (!place.inside) { return; }
  let lane = lid % LANES;
  for (var i = lane; i < HALF; i += LANES) {
    let a = x[base + i] * scale * gain(i);
    let b = x[base + i + HALF] * scale * gain(i + HALF);
    let c = cosines[place.row * HALF + i];
    let s = sines[place.row * HALF + i];
    y[out + i] = a * c - b * s;
    y[out + i + HALF] = b * c + a * s;
  }
  for (var i = ROTARY + lane; i < D; i += LANES) { y[out + i] = x[base + i] * scale * gain(i); }
}
