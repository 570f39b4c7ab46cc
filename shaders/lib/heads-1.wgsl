// heads (1): one query head per lane and key. Common with lib/heads-4.wgsl: TOGETHER, Scores, Columns,
// dots(), outer(), scaled(), head_columns(), head_score(), scores_of(), put_head(). For heads that share no keys.
const TOGETHER = 1u;
alias Scores = f32; // of one key, for the heads computed together
alias Columns = vec4<f32>; // four columns of each of these heads

fn dots(k: vec4<f32>, q: Columns) -> Scores {
  return dot(k, q);
}

fn outer(v: vec4<f32>, w: Scores) -> Columns {
  return w * v;
}

fn scaled(sum: Columns, by: Scores) -> Columns {
  return sum * by;
}

fn head_columns(sum: Columns, head: u32) -> vec4<f32> {
  return sum;
}

fn head_score(score: Scores, head: u32) -> f32 {
  return score;
}

// The scores of these heads, of four.
fn scores_of(four: vec4<f32>) -> Scores {
  return four.x;
}

// Writes one head's output.
fn put_head(at: u32, head: u32, value: vec4<f32>) {
  heads_of_q[at] = value;
}
