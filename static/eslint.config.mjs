// What `make check` asks of the scripts of all pages.

import js from "@eslint/js";
import globals from "globals";

// What is put above a script, such as the exports of choosing.js and camera.js, or given to it.
const given = (files, ...names) =>
  ({files, languageOptions: {globals: Object.fromEntries(names.map((name) => [name, "readonly"]))}});

const rules = ["eqeqeq", "no-shadow", "no-var", "prefer-const"];

export default [
  js.configs.recommended,
  {
    languageOptions: {globals: globals.browser},
    rules: {...Object.fromEntries(rules.map((rule) => [rule, "error"])), "max-len": ["error", 120]},
  },
  {files: ["static/service-worker.js"], languageOptions: {globals: globals.serviceworker}},
  given(["static/service-worker.js"], "KEPT", "FETCHED", "VERSION", "POLICY"),
  given(["catdog/gradio_app/*.js"], "element", "trigger", "watch"),
  given(["catdog/gradio_app/{many,single}_tab.js"], "isReadable", "isTyping", "object", "objection", "obstacle"),
  given(["catdog/gradio_app/{live,single}_tab.js"], "NO_CAMERA_HERE", "cameraFails", "startLive"),
  given(["catdog/gradio_app/quiz_tab.js"], "shuffled"),
  given(["catdog/gradio_app/live_region.js"], "props"),
  given(["catdog/gradio_app/many_tab.js"], "refusal", "largest", "together"),
  given(["catdog/gradio_app/single_tab.js"], "refusal", "largest", "drawing"),
];
