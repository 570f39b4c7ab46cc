// delta-scan: S = exp(g) S, d = beta (v - S^T k), S = S + k d^T, y = S^T q, token by token: gated delta nets (Yang,
// Kautz and Hatamizadeh 2024, arXiv:2412.06464); q and k of length 1, q / sqrt(key_dim); beta = sigmoid(b),
// g = -exp(a_log) softplus(a + a_bias)
//
// projected [tokens, stride] f32: from column `first`, b of the heads, then a of the heads
// mixed     [tokens, 2 * key_heads * key_dim + heads * dims] f32: q and k of each key head, v of each head
// rates     [2, heads] f32: a_log, a_bias
// before    [key_dim, heads * dims] f32: S of each head      after: the same after the step
// y         [tokens, heads * dims] f32
// tiled     0: successive heads have a key head; 1: heads have the key heads in turn
// grid      one lane per column of a head's S, over all tokens (folded)
// parts     fn linear_group (lib/grid.wgsl); fn softplus (lib/softplus.wgsl); fn sigmoid
//           (lib/activation.wgsl)
// needs     key_heads a divisor of heads
override WG: u32;

const LENGTH_EPS = 1e-6; // below the squared lengths of q and k

struct Params {
  tokens: u32,
  key_heads: u32,
  key_dim: u32,
  heads: u32,
  dims: u32,
  stride: u32,
  first: u32,
  tiled: u32,
}

@group(0) @binding(0) var<storage, read> projected: array<f32>;
@group(0) @binding(1) var<storage, read> mixed: array<f32>;
@group(0) @binding(2) var<storage, read> rates: array<f32>;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read_write> after: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// The state before token t. No other lane reads or writes it.
fn state(t: u32, at: u32) -> f32 {
  if (t == 0u) {
    return before[at];
  }
  return after[at];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = linear_group(group, groups) * WG + lane;
  let cols = params.heads * params.dims;
  if (c >= cols) {
    return;
  }
  let head = c / params.dims;
  let keys = params.key_heads * params.key_dim;
  var key_head = head / (params.heads / params.key_heads);
  if (params.tiled != 0u) {
    key_head = head % params.key_heads;
  }
  let key_at = key_head * params.key_dim;
  let rate = -exp(rates[head]);
  let a_bias = rates[params.heads + head];
  for (var t = 0u; t < params.tokens; t += 1u) {
    let gates = t * params.stride + params.first + head;
    let beta = sigmoid(projected[gates]);
    let decay = exp(rate * softplus(projected[gates + params.heads] + a_bias));
    let row = t * (2u * keys + cols);
    var q_square = 0.0;
    var k_square = 0.0;
    var recalled = 0.0; // S^T k, for k of its own length
    for (var i = 0u; i < params.key_dim; i += 1u) {
      let q = mixed[row + key_at + i];
      let k = mixed[row + keys + key_at + i];
      q_square += q * q;
      k_square += k * k;
      recalled += state(t, i * cols + c) * k;
    }
    let q_factor = 1.0 / sqrt((q_square + LENGTH_EPS) * f32(params.key_dim));
    let k_factor = 1.0 / sqrt(k_square + LENGTH_EPS);
    let v = mixed[row + 2u * keys + c];
    let written = beta * (v - decay * recalled * k_factor) * k_factor;
    var sum = 0.0;
    for (var i = 0u; i < params.key_dim; i += 1u) {
      let at = i * cols + c;
      let next = decay * state(t, at) + written * mixed[row + keys + key_at + i];
      after[at] = next;
      sum += next * mixed[row + key_at + i];
    }
    y[t * cols + c] = sum * q_factor;
  }
}
