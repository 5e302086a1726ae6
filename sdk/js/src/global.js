// For pages whose scripts are no modules: <script type="module" src=".../global.js"></script> sets window.imc, and then
// the event "imc" is dispatched on window.
import * as imc from './index.js';

Object.assign(globalThis, { imc });
globalThis.dispatchEvent?.(new Event('imc'));
