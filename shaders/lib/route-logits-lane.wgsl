// route-logits-lane: logits in the memory of one lane.
var<private> logit_row: array<f32, CAPACITY>;
