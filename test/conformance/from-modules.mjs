// The built program from its modules, not put together, so that the fixtures find the list of tools that it uses.
import { runProcess } from "../../dist/cli/index.js";

await runProcess();
