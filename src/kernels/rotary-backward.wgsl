// Needs rotary.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let place = placeOf(id);
  if (!place.inside) { return; }
  let base = place.x;
  let out = place.rotated;
  let scale = inverseRms(base);
  var dot = 0.0;
  if (NORM) {
    for (var i = 0u; i < HALF; i++) {
      let c = cosines[place.row * HALF + i];
      let s = sines[place.row * HALF + i];
      let da = (dy[out + i] * c + dy[out + i + HALF] * s) * gain(i);
      let db = (dy[out + i + HALF] * c - dy[out + i] * s) * gain(i + HALF);
      dot += da * x[base + i] + db * x[base + i + HALF];
    }
    for (var i = ROTARY; i < D; i++) { dot += dy[out + i] * gain(i) * x[base + i]; }
    dot *= scale * scale / f32(D);
  }
  for (var i = 0u; i < HALF; i++) {
    let c = cosines[place.row * HALF + i];
    let s = sines[place.row * HALF + i];
    let da = (dy[out + i] * c + dy[out + i + HALF] * s) * gain(i);
    let db = (dy[out + i + HALF] * c - dy[out + i] * s) * gain(i + HALF);
    if (NORM) {
      dx[base + i] = scale * (da - dot * x[base + i]);
      dx[base + i + HALF] = scale * (db - dot * x[base + i + HALF]);
    } else {
      dx[base + i] = da;
      dx[base + i + HALF] = db;
    }
  }
  for (var i = ROTARY; i < D; i++) {
    let da = dy[out + i] * gain(i);
    if (NORM) { dx[base + i] = scale * (da - dot * x[base + i]); } else { dx[base + i] = da; }
  }
}
