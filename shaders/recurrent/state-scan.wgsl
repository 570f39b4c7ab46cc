// state-scan: S = exp(dt A) S + dt x B^T, y = S C + D x, token by token, dt = clamp(softplus(x_dt + dt_bias), lowest,
// highest), A = -exp(a_log): the selective state spaces of Mamba-2 (Dao and Gu 2024, arXiv:2405.21060)
//
// projected [tokens, stride] f32: columns first .. first + heads - 1 are x_dt
// mixed     [tokens, heads * dims + 2 * groups * states] f32: x of each head, B of each group, C of each group
// rates     [3, heads] f32: a_log, D, dt_bias
// before    [states, heads * dims] f32: S of each head, transposed      after: the same after the step
// y         [tokens, heads * dims] f32
// grid      one lane per element of a head, over all tokens (folded)
// parts     fn linear_group (lib/grid.wgsl); fn softplus (lib/softplus.wgsl)
// needs     groups a divisor of heads
override WG: u32;

struct Params {
  tokens: u32,
  heads: u32,
  dims: u32,
  groups: u32,
  states: u32,
  stride: u32,
  first: u32,
  lowest: f32,
  highest: f32,
}

@group(0) @binding(0) var<storage, read> projected: array<f32>;
@group(0) @binding(1) var<storage, read> mixed: array<f32>;
@group(0) @binding(2) var<storage, read> rates: array<f32>;
@group(0) @binding(3) var<storage, read> before: array<f32>;
@group(0) @binding(4) var<storage, read_write> after: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

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
  let rate = -exp(rates[head]);
  let skip = rates[params.heads + head];
  let dt_bias = rates[2u * params.heads + head];
  let b_at = cols + head / (params.heads / params.groups) * params.states;
  let c_at = b_at + params.groups * params.states;
  let width = cols + 2u * params.groups * params.states;
  for (var t = 0u; t < params.tokens; t += 1u) {
    let raw = projected[t * params.stride + params.first + head] + dt_bias;
    let dt = clamp(softplus(raw), params.lowest, params.highest);
    let decay = exp(dt * rate);
    let x = mixed[t * width + c];
    let fed = dt * x;
    var sum = skip * x;
    for (var n = 0u; n < params.states; n += 1u) {
      let at = n * cols + c; // no other lane reads or writes it
      var state: f32;
      if (t == 0u) {
        state = before[at];
      } else {
        state = after[at];
      }
      state = decay * state + fed * mixed[t * width + b_at + n];
      after[at] = state;
      sum += state * mixed[t * width + c_at + n];
    }
    y[t * cols + c] = sum;
  }
}
