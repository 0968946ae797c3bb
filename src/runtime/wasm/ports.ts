import { nodeModule } from "../node.js";
import { mathText } from "./math.js";
import { control, serve, type Assignment, type Order, type Reply } from "./worker.js";

/** A worker of the platform, reduced to what is needed here. */
export interface Port {
  post(message: Assignment | Order): void;
  /** Each is called from then on; `onLost` when the worker can't be started, or ends by itself. */
  listen(onReply: (reply: Reply) => void, onLost: (why: string) => void): void;
  /** Whether the process stays alive for it. */
  hold(on: boolean): void;
  end(): void;
}

/** The life of a worker as a program of its own, for where workers can be made from text. */
const program = (): string => `"use strict"; const __name = (f) => f; (${serve.toString()})(${mathText()}, ${JSON.stringify(control)});`;

/**
 * Starts a worker; what keeps it from starting may be thrown here or told to `onLost`.
 * @param script where a page that forbids workers made from text serves `indexical/worker`
 */
export const openPort = async (script?: string | URL): Promise<Port> => {
  const node = await nodeModule<typeof import("node:worker_threads")>("node:worker_threads");
  return node ? inNode(node) : inBrowser(script);
};

const inNode = ({ Worker }: typeof import("node:worker_threads")): Port => {
  // In a worker made from text, `require` is a variable of its own.
  const worker = new Worker(`globalThis.require = require; ${program()}`, { eval: true, execArgv: [] });
  return {
    post: (message) => worker.postMessage(message),
    listen: (onReply, onLost) => {
      worker.on("message", onReply).on("error", (error: Error) => onLost(error.message));
      worker.on("exit", (code) => onLost(`its exit code is ${code}`));
    },
    hold: (on) => (on ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
};

const inBrowser = (script: string | URL | undefined): Port => {
  const text = script === undefined ? URL.createObjectURL(new Blob([program()], { type: "text/javascript" })) : undefined;
  const forget = (): void => {
    if (text !== undefined) URL.revokeObjectURL(text);
  };
  const worker = script === undefined ? new Worker(text!) : new Worker(script, { type: "module" });
  return {
    post: (message) => worker.postMessage(message),
    listen: (onReply, onLost) => {
      worker.onmessage = ({ data }: MessageEvent<Reply>) => {
        forget();
        onReply(data);
      };
      // Nothing but the name of the event says why a policy forbade a worker.
      worker.onerror = ({ message }: Partial<ErrorEvent>) => {
        forget();
        onLost(
          message ??
            (script === undefined
              ? "the page's policy may forbid workers from blob: addresses"
              : `${String(script)} could not be loaded as a worker`),
        );
      };
    },
    hold: () => {},
    end: () => {
      forget();
      worker.terminate();
    },
  };
};
