// route-logits-group: logits in workgroup memory.
var<workgroup> logit_row: array<f32, CAPACITY>;
