// Needs rotary.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let place = placeOf(id);
  if (!place.inside) { return; }
  let base = place.x;
  let out = place.rotated;
  let scale = inverseRms(base);
  for (var i = 0u; i < HALF; i++) {
    let a = x[base + i] * scale * gain(i);
    let b = x[base + i + HALF] * scale * gain(i + HALF);
    let c = cosines[place.row * HALF + i];
    let s = sines[place.row * HALF + i];
    y[out + i] = a * c - b * s;
    y[out + i + HALF] = b * c + a * s;
  }
  for (var i = ROTARY; i < D; i++) { y[out + i] = x[base + i] * scale * gain(i); }
}
