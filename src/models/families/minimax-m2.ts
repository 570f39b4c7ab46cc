import type { ConfigFamily } from '../family.ts';
import {
  attention,
  decoder,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
} from './common.ts';
import { sigmoidRouter, type SigmoidRule } from './deepseek-mlp.ts';
import { mixtralMoe } from './mixtral-experts.ts';
import { refuseWindow } from './windows.ts';

/** MiniMax-M2: norm over the whole q and k vectors, a part of each head rotated; a router by sigmoid, without groups. */
export const minimaxM2: ConfigFamily = {
  modelTypes: ['minimax_m2'],
  parse: (config, file) => {
    const shell = readShell(config, file, { partial: true });
    refuseWindow(config, shell.layerCount);
    const activation = readActivation(config);
    const { experts, topK } = readExpertCounts(config);
    const sizes = { experts, activation, width: readWidth(config, 'intermediate_size') };
    config.choice(['scoring_func'], ['sigmoid'], 'sigmoid');
    const rule: SigmoidRule = {
      topK,
      groups: { count: 1, keep: 1 },
      renormalise: true,
      epsilon: 0,
      scale: 1,
    };
    return decoder(
      'minimax_m2',
      config,
      shell,
      layers(shell, (_, prefix) =>
        layerOf(
          prefix,
          attention(prefix, shell, { norm: 'vector' }),
          mixtralMoe(prefix, shell, sizes, (at) =>
            sigmoidRouter(`${at}gate.weight`, `${at}e_score_correction_bias`, rule),
          ),
        ),
      ),
    );
  },
};
