/** What can be loaded, from the tables that load it. */
import { ARCHITECTURE_NAMES } from '../containers/gguf/architectures.ts';
import { QUANTIZATION_METHODS } from '../containers/quantization.ts';
import { FAMILIES } from '../models/registry.ts';
import { BUILT_IN_FORMATS } from '../weights/formats/index.ts';
import type { Command } from './command.ts';
import { JSON_OPTION } from './model.ts';

/** Lists families, architectures of GGUF files, quantisations of safetensors, and formats. */
export const models: Command = {
  name: 'models',
  wants: [],
  summary: 'list families, GGUF architectures and formats',
  example: 'models',
  options: { ...JSON_OPTION },
  run: async (args, terminal) => {
    const found = {
      families: FAMILIES.flatMap(({ modelTypes }) => modelTypes),
      gguf: [...ARCHITECTURE_NAMES],
      quantizations: [...QUANTIZATION_METHODS],
      formats: [...BUILT_IN_FORMATS],
    };
    if (args.flag('json')) terminal.write(`${JSON.stringify(found)}\n`);
    else {
      terminal.write(
        `families (model_type of config.json)\n${lines(found.families)}\n` +
          `GGUF (general.architecture)\n${lines(found.gguf)}\n` +
          `quantised safetensors (quant_method of quantization_config)\n${lines(found.quantizations)}\n` +
          `formats of weights\n${lines(found.formats)}`,
      );
    }
    return true;
  },
};

const WIDTH = 78;

/** Names beside one another, in lines that fit a terminal. */
function lines(names: readonly string[]): string {
  let text = '';
  let line = ' ';
  for (const name of names) {
    if (line.length + 1 + name.length > WIDTH) {
      text += `${line}\n`;
      line = ' ';
    }
    line += ` ${name}`;
  }
  return `${text}${line}\n`;
}
