// route-groups-lane: values of groups in the memory of one lane.
var<private> group_values: array<f32, GROUP_CAPACITY>;
