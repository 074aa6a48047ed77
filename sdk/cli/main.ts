#!/usr/bin/env node
import { packageVersion } from '../util/package.ts';
import { type Io, runCli } from './app.ts';
import { COMMANDS } from './commands/index.ts';

function processIo(): Io {
  return {
    version: packageVersion(),
    cwd: process.cwd(),
    env: process.env,
    stderrIsTerminal: process.stderr.isTTY === true,
    clock: () => performance.now() / 1000,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    onInterrupt: (handler) => {
      process.on('SIGINT', handler).on('SIGTERM', handler);
      return () => process.off('SIGINT', handler).off('SIGTERM', handler);
    },
    exit: (code) => process.exit(code),
  };
}

// `eigenweights ... | head` closes the pipe: that is the reader's choice, not a failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (e: NodeJS.ErrnoException) => {
    if (e.code === 'EPIPE') process.exit(0);
    throw e;
  });
}

process.exitCode = await runCli(process.argv.slice(2), COMMANDS, processIo());
