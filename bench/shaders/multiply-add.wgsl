// multiply-add: chains of v = v * a + b in registers, the most arithmetic a kernel can hope for
//
// y      [lanes] f32: what the chains end in, so that no compiler optimises them away
// grid   params.groups workgroups of WG lanes; each lane runs CHAINS chains of vec4 for params.steps steps
// parts  const CHAINS; fn step (fused or not)

struct Params {
  steps: u32,
  a: f32,
  b: f32,
}

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

override WG: u32;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4<f32>(params.a);
  let b = vec4<f32>(params.b);
  var v0 = vec4<f32>(f32(id.x));
  var v1 = v0 + 1.0;
  var v2 = v0 + 2.0;
  var v3 = v0 + 3.0;
  var v4 = v0 + 4.0;
  var v5 = v0 + 5.0;
  var v6 = v0 + 6.0;
  var v7 = v0 + 7.0;
  for (var i = 0u; i < params.steps; i += 1u) {
    v0 = step(v0, a, b);
    v1 = step(v1, a, b);
    if (CHAINS > 2u) {
      v2 = step(v2, a, b);
      v3 = step(v3, a, b);
    }
    if (CHAINS > 4u) {
      v4 = step(v4, a, b);
      v5 = step(v5, a, b);
      v6 = step(v6, a, b);
      v7 = step(v7, a, b);
    }
  }
  let sum = (v0 + v1) + (v2 + v3) + (v4 + v5) + (v6 + v7);
  y[id.x] = sum.x + sum.y + sum.z + sum.w;
}
