/**
 * A strategy of decoding: no run of `size` tokens comes twice, in the prompt and the reply together.
 *
 * @param {number} size - of the runs, in tokens
 * @returns {import('atomoe').DecodingStrategy}
 */
export function noRepeat(size = 3) {
  return {
    name: 'no-repeat',
    needsLogits: true,
    async *decode({ prompt, state, first, choose, report }) {
      const said = [...prompt];
      let prediction = first;
      for (let changed = 0; ;) {
        const logits = Float32Array.from(prediction.logits ?? []);
        for (const id of followers(said, size - 1)) logits[id] = -Infinity;
        const token = choose(prediction, { logits });
        if (logits[prediction.best] === -Infinity) changed += 1;
        report({ changed });
        yield token;
        said.push(token.id);
        prediction = await state.step(token.id);
      }
    },
  };
}

/**
 * The tokens that have followed the last `length` tokens before.
 *
 * @param {readonly number[]} said
 * @param {number} length
 */
function followers(said, length) {
  const last = said.slice(said.length - length);
  return said.filter((_, at) => at >= length && last.every((id, back) => id === said[at - length + back]));
}
