/** The stages of a layer description that turn scores into routes. */
import type { HooksDescription as LayerHooks } from '../../models/layer/layer.ts';
import type {
  DropDescription,
  RouterDescription,
  SelectDescription,
  StepDescription,
} from '../../models/layer/router.ts';
import type { TensorReference } from '../../models/layer/tensor-reference.ts';

export type { DropDescription, SelectDescription, StepDescription };

/** A tensor of the layer, or of the request, as a description names it. */
export type Reference = TensorReference;

/** How many experts `topK` keeps: a number, or by a value of the token. */
export type CountDescription = Extract<SelectDescription, { kind: 'topK' }>['k'];

/** The rule of `select`. */
export type ChoiceDescription = SelectDescription;

/** `hooks` of a request. */
export type HooksDescription = LayerHooks;

/** A router from its scores on. */
export type RoutingDescription = Pick<
  RouterDescription,
  'transform' | 'select' | 'weigh' | 'capacity' | 'nullExperts'
>;
