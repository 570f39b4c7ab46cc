/** The families that no fixture of transformers tests: made-up models by `model_type`. Not part of the library. */
import { afmoe } from './plain-afmoe.testing.ts';
import { bailingMoe, bailingMoeV2 } from './plain-bailing.testing.ts';
import { deepseekMoe } from './plain-deepseek.testing.ts';
import { graniteMoeSwa } from './plain-granite-swa.testing.ts';
import { mellum } from './plain-mellum.testing.ts';
import type { PlainFamily } from './plain-files.testing.ts';

export const PLAIN_FAMILIES: Readonly<Record<string, PlainFamily>> = {
  bailing_moe: bailingMoe,
  bailing_moe_v2: bailingMoeV2,
  mellum,
  deepseek: deepseekMoe,
  granitemoe_swa: graniteMoeSwa,
  afmoe,
};
