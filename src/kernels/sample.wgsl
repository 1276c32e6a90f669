// The next token of each sequence, one workgroup for each. Needs philox.wgsl.
// Candidates are the logits at or above a threshold, found digit by digit over their orderable bits; probabilities are whole numbers
// of about 2^-30, whose sums do not depend on the order of adding.

const LOWEST = -3.4e38;
// Tells these random numbers from those of other uses of the seed.
const PURPOSE = 0x67656eu;
var<workgroup> highs: array<f32, THREADS>;
var<workgroup> sums: array<u32, THREADS>;
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> found: vec2<u32>;
var<private> row: u32;
var<private> seenRow: u32;
var<private> high: f32;
var<private> unit: f32;

// The logit of token i after penalty and temperature
fn scoreOf(i: u32) -> f32 {
  if (i == params.suppressed) { return LOWEST; }
  var logit = logits[row * params.vocabulary + i];
  if (PENALIZED) {
    if ((seen[seenRow + i / 32u] & (1u << (i % 32u))) != 0u) { logit = select(logit / params.penalty, logit * params.penalty, logit < 0.0); }
  }
  return logit * params.inverseTemperature;
}
fn massOf(score: f32) -> u32 { return u32(exp(score - high) * unit + 0.5); }

// Bits of a float such that greater floats have greater bits, and back
fn bitsOf(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}
fn scoreAt(bits: u32) -> f32 { return bitcast<f32>(select(~bits, bits & 0x7fffffffu, bits >= 0x80000000u)); }

// Greatest score such that those at or above it, and at or above `least`, number `goal`, or weigh `goal` together
fn threshold(lid: u32, goal: u32, weighed: bool, least: f32) -> f32 {
  var prefix = 0u;
  var left = goal;
  for (var digit = 0u; digit < 4u; digit++) {
    let shift = 24u - 8u * digit;
    for (var b = lid; b < 256u; b += THREADS) { atomicStore(&bins[b], 0u); }
    workgroupBarrier();
    for (var i = lid; i < params.vocabulary; i += THREADS) {
      let score = scoreOf(i);
      let bits = bitsOf(score);
      if (score >= least && (digit == 0u || (bits >> (shift + 8u)) == prefix)) {
        atomicAdd(&bins[(bits >> shift) & 255u], select(1u, massOf(score), weighed));
      }
    }
    workgroupBarrier();
    if (lid == 0u) {
      var bin = 255u;
      while (bin > 0u && atomicLoad(&bins[bin]) < left) {
        left -= atomicLoad(&bins[bin]);
        bin--;
      }
      found = vec2<u32>(bin, left);
    }
    let next = workgroupUniformLoad(&found);
    prefix = (prefix << 8u) | next.x;
    left = next.y;
  }
  return scoreAt(prefix);
}

// Highest score, by all threads
fn highestScore(lid: u32) -> f32 {
  var highest = LOWEST;
  for (var i = lid; i < params.vocabulary; i += THREADS) { highest = max(highest, scoreOf(i)); }
  highs[lid] = highest;
  workgroupBarrier();
  for (var t = 0u; t < THREADS; t++) { highest = max(highest, highs[t]); }
  workgroupBarrier();
  return highest;
}

// Σ exp(score − high) of the scores at or above `least`, by all threads
fn totalPower(lid: u32, least: f32) -> f32 {
  var sum = 0.0;
  for (var i = lid; i < params.vocabulary; i += THREADS) {
    let score = scoreOf(i);
    if (score >= least) { sum += exp(score - high); }
  }
  highs[lid] = sum;
  workgroupBarrier();
  sum = 0.0;
  for (var t = 0u; t < THREADS; t++) { sum += highs[t]; }
  workgroupBarrier();
  return sum;
}

// Masses of the thread's own stretch of the vocabulary go to `sums`; returns their total, by all threads
fn totalMass(lid: u32, least: f32, stretch: u32) -> u32 {
  var sum = 0u;
  for (var i = lid * stretch; i < min((lid + 1u) * stretch, params.vocabulary); i++) {
    let score = scoreOf(i);
    if (score >= least) { sum += massOf(score); }
  }
  sums[lid] = sum;
  workgroupBarrier();
  var total = 0u;
  for (var t = 0u; t < THREADS; t++) { total += sums[t]; }
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  row = group.x;
  let sequence = sequences[row];
  seenRow = sequence.x * ((params.vocabulary + 31u) / 32u);
  high = highestScore(lid);
  let stretch = (params.vocabulary + THREADS - 1u) / THREADS;
  var least = LOWEST;
  var random = 0u;
  unit = 1.0;
  if (GREEDY) {
    least = high;
  } else {
    if (params.topK > 0u && params.topK < params.vocabulary) { least = threshold(lid, params.topK, false, least); }
    unit = 1073741824.0 / totalPower(lid, least);
    if (params.topP < 1.0) {
      let whole = totalMass(lid, least, stretch);
      least = threshold(lid, clamp(u32(ceil(params.topP * f32(whole))), 1u, whole), true, least);
    }
    random = philox(vec4<u32>(sequence.y, params.step - sequence.z, 0u, PURPOSE), vec2<u32>(params.seed, 0u)).x;
  }
  // The first token, by id, whose mass with all before it exceeds a random share of the whole
  let total = totalMass(lid, least, stretch);
  if (lid == 0u) {
    var left = highProduct(random, total);
    var owner = 0u;
    while (owner + 1u < THREADS && sums[owner] <= left) {
      left -= sums[owner];
      owner++;
    }
    found = vec2<u32>(owner, left);
  }
  let drawn = workgroupUniformLoad(&found);
  if (lid != drawn.x) { return; }
  var left = drawn.y;
  var id = 0u;
  for (var i = lid * stretch; i < min((lid + 1u) * stretch, params.vocabulary); i++) {
    let score = scoreOf(i);
    if (score < least) { continue; }
    id = i;
    let mass = massOf(score);
    if (left < mass) { break; }
    left -= mass;
  }
  ids[row] = i32(id);
  if (PENALIZED) { seen[seenRow + id / 32u] |= 1u << (id % 32u); }
}
