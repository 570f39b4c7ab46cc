// team (alone): a team of one lane has nothing to add up. All share team_place(), team_sum().
fn team_sum(sums: Acc, lane: u32) -> Acc {
  return sums;
}

// The lane's number in its team.
fn team_place(lane: u32) -> u32 {
  return 0u; // and not lane % LANES, so that control flow is plainly uniform
}
