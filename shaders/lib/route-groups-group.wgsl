// route-groups-group: values of groups in workgroup memory.
var<workgroup> group_values: array<f32, GROUP_CAPACITY>;
