/**
 * `node --import indexical/register file.ts`: runs TypeScript and quoted code as they are written.
 * Importing this module installs the hooks.
 */
import { installHooks } from "./hooks.js";

installHooks();
