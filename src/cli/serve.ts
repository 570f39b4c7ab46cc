import { once } from 'node:events';
import { openaiFetch } from '../openai/index.ts';
import { UsageError, type Arguments } from './arguments.ts';
import type { Command } from './command.ts';
import { openServer } from './http-server.ts';
import { LOAD_OPTIONS, openSource, TUNING_OPTION, withModel } from './model.ts';
import { STREAM_OPTIONS } from './streaming.ts';

const DEFAULT_PORT = 8080;

/** Answers OpenAI's HTTP API. */
export const serve: Command = {
  name: 'serve',
  wants: ['MODEL'],
  summary: "answer OpenAI's HTTP API at 127.0.0.1, until Ctrl-C",
  example: 'serve demo/public/models/fable-omni-8m --port 8080',
  options: {
    port: {
      value: 'N',
      help: `to listen at (default ${DEFAULT_PORT}; 0: any free one)`,
      read: readPort,
    },
    token: {
      value: 'TEXT',
      help: 'that requests need, as Authorization: Bearer TEXT',
      read: (args, name) => {
        if (!/^[!-~]*$/.test(args.text(name) ?? '')) {
          throw new UsageError('--token has characters that no header can have; wanted ASCII without spaces');
        }
        if (args.text(name) === '') throw new UsageError('--token is empty; wanted a text; leave it out');
      },
    },
    ...LOAD_OPTIONS,
    ...STREAM_OPTIONS,
    ...TUNING_OPTION,
  },
  run: (args, terminal) =>
    withModel(
      () => openSource(args.place(0), args),
      args,
      terminal,
      async (engine) => {
        const port = readPort(args);
        const server = await openServer(openaiFetch(engine), { port, token: args.text('token') });
        terminal.write(`${server.url}/v1\n`);
        terminal.note(`${engine.model?.label ?? 'the model'} answers there; Ctrl-C ends it`);
        try {
          if (!terminal.signal.aborted) await once(terminal.signal, 'abort');
        } finally {
          await server.close();
        }
        return true;
      },
    ),
};

function readPort(args: Arguments): number {
  const port = args.number('port') ?? DEFAULT_PORT;
  if (Number.isInteger(port) && port >= 0 && port < 65536) return port;
  throw new UsageError(`--port is ${port}; wanted a whole number of 0 to 65535`);
}
