/** WGSL that few models and replies need, by file. */
import keyBias from '../../../shaders/attention/key-bias.wgsl?raw';
import addWeighed from '../../../shaders/core/add-weighed.wgsl?raw';
import scaleRows from '../../../shaders/core/scale-rows.wgsl?raw';
import softCap from '../../../shaders/core/soft-cap.wgsl?raw';
import expertPool4 from '../../../shaders/lib/expert-pool-4.wgsl?raw';
import layerNorm from '../../../shaders/norm/layer-norm.wgsl?raw';
import skipLight from '../../../shaders/routing/skip-light.wgsl?raw';

export const texts = {
  'attention/key-bias': keyBias,
  'core/add-weighed': addWeighed,
  'core/scale-rows': scaleRows,
  'core/soft-cap': softCap,
  'lib/expert-pool-4': expertPool4,
  'norm/layer-norm': layerNorm,
  'routing/skip-light': skipLight,
};
