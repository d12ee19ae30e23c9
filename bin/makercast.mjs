#!/usr/bin/env node
/** `npx makercast …` in a clone of the repository: check, probe, plan and so on; without arguments it starts the stream. */
import '../setup/start.mjs';
