// heads (4): four query heads of one key head are computed together, so that keys and values are read once for all
// four. Each head has one component of a vec4, or one column of a matrix. As lib/heads-1.wgsl.
const TOGETHER = 4u;
alias Scores = vec4<f32>;
alias Columns = mat4x4<f32>;

fn dots(k: vec4<f32>, q: Columns) -> Scores {
  return k * q;
}

fn outer(v: vec4<f32>, w: Scores) -> Columns {
  return Columns(w.x * v, w.y * v, w.z * v, w.w * v);
}

fn scaled(sum: Columns, by: Scores) -> Columns {
  return Columns(sum[0] * by.x, sum[1] * by.y, sum[2] * by.z, sum[3] * by.w);
}

fn head_columns(sum: Columns, head: u32) -> vec4<f32> {
  var copy = sum; // indexed by a loop: the sum itself stays in registers
  return copy[head];
}

fn head_score(score: Scores, head: u32) -> f32 {
  return score[head];
}

fn scores_of(four: vec4<f32>) -> Scores {
  return four;
}

fn put_head(at: u32, head: u32, value: vec4<f32>) {
  heads_of_q[at][head] = value;
}
