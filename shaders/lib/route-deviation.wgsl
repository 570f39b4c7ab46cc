// route-deviation: the standard deviation of the entries of a row that are not masked.
//
// degrees  1: of a sample, divided by one less than the number of entries; 0: of a population
fn row_deviation(lane: u32, degrees: f32) -> f32 {
  var own_count = 0.0;
  var own_sum = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      own_count += 1.0;
      own_sum += value;
    }
  }
  let count = row_sum(own_count, lane);
  let mean = row_sum(own_sum, lane) / max(count, 1.0);
  var own_largest = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      own_largest = max(own_largest, abs(value - mean));
    }
  }
  let largest = row_max(own_largest, lane);
  let unit = select(largest, 1.0, largest == 0.0); // the square of a small difference may underflow
  var own_squares = 0.0;
  for (var e = lane; e < params.scored; e += STRIDE) {
    let value = row[e];
    if (is_live(value)) {
      let difference = (value - mean) / unit;
      own_squares += difference * difference;
    }
  }
  return unit * sqrt(row_sum(own_squares, lane) / max(count - degrees, 1.0));
}
