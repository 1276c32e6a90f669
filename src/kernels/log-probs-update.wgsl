// Softmax statistics of logits that arrive a piece of the vocabulary at a time.
// A logit is multiplied by inverseTemperature first.
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> sums: array<f32, THREADS>;
// Σ exp(z − highest) · (z − highest), Σ raw logits
var<workgroup> moments: array<vec2<f32>, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x;
  let base = row * params.columns;
  var high = -3.0e38;
  for (var i = lid; i < params.columns; i += THREADS) { high = max(high, logits[base + i] * params.inverseTemperature); }
  highs[lid] = high;
  workgroupBarrier();
  var known = vec4<f32>(-3.0e38, 0.0, 0.0, 0.0);
  if (params.firstColumn > 0u) { known = state[row]; }
  high = known.x;
  for (var i = 0u; i < THREADS; i++) { high = max(high, highs[i]); }
  var sum = 0.0;
  var moment = vec2<f32>();
  for (var i = lid; i < params.columns; i += THREADS) {
    let below = logits[base + i] * params.inverseTemperature - high;
    let power = exp(below);
    sum += power;
    if (STATISTICS) { moment += vec2<f32>(power * below, logits[base + i]); }
  }
  sums[lid] = sum;
  if (STATISTICS) { moments[lid] = moment; }
  workgroupBarrier();
  if (lid != 0u) { return; }
  let keep = exp(known.x - high);
  sum = known.y * keep;
  for (var i = 0u; i < THREADS; i++) { sum += sums[i]; }
  var own = known.z;
  let column = u32(targets[row]) - params.firstColumn;
  if (column < params.columns) { own = logits[base + column] * params.inverseTemperature; }
  let loss = high + log(sum) - own;
  nll[row] = loss;
  if (STATISTICS) {
    moment = vec2<f32>();
    // Before the first piece nothing was summed, and the distance to its highest logit would overflow.
    if (params.firstColumn > 0u) { moment = vec2<f32>(keep * (known.w + (known.x - high) * known.y), scores[row].w); }
    for (var i = 0u; i < THREADS; i++) { moment += moments[i]; }
    scores[row] = vec4<f32>(loss, log(sum) - moment.x / sum, select(0.0, 1.0, own >= high), moment.y);
  }
  state[row] = vec4<f32>(high, sum, own, moment.x);
}
