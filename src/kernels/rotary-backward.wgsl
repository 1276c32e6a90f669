// Needs rotary.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let place = placeOf(group, lid);
  let lane = lid % LANES;
  let base = place.x;
  let out = place.rotated;
  let scale = inverseRms(base, lid);
  var dot = 0.0;
  if (NORM) {
    for (var i = lane; i < HALF; i += LANES) {
      let c = cosines[place.row * HALF + i];
      let s = sines[place.row * HALF + i];
      let da = (dy[out + i] * c + dy[out + i + HALF] * s) * gain(i);
      let db = (dy[out + i + HALF] * c - dy[out + i] * s) * gain(i + HALF);
      dot += da * x[base + i] + db * x[base + i + HALF];
    }
    for (var i = ROTARY + lane; i < D; i += LANES) { dot += dy[out + i] * gain(i) * x[base + i]; }
    dot = overHead(dot, lid) * scale * scale / f32(D);
  }
  if (!place.inside) { return; }
  for (var i = lane; i < HALF; i += LANES) {
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
  for (var i = ROTARY + lane; i < D; i += LANES) {
    let da = dy[out + i] * gain(i);
    if (NORM) { dx[base + i] = scale * (da - dot * x[base + i]); } else { dx[base + i] = da; }
  }
}
