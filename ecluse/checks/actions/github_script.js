// Runs the script of a github-script step. argv[2] is a JSON document: script, encoding, context, api, token.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const childProcess = require('child_process');
const {createRequire} = require('module');

const given = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));

// -- core --------------------------------------------------------------------------------------------------------

const asText = (value) =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
const escapeData = (text) => asText(text).replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
const escapeProperty = (text) => escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C');

function command(name, properties, message) {
  const pairs = Object.entries(properties || {}).filter(([, value]) => value !== undefined && value !== '');
  const words = pairs.map(([key, value]) => `${key}=${escapeProperty(value)}`).join(',');
  process.stdout.write(`::${name}${words ? ' ' + words : ''}::${escapeData(message)}\n`);
}

function toFile(variable, name, value) {
  const mark = `ghadelimiter_${crypto.randomUUID()}`;
  fs.appendFileSync(process.env[variable], `${name}<<${mark}\n${asText(value)}\n${mark}\n`);
}

const place = (p = {}) => ({
  title: p.title, file: p.file, line: p.startLine, endLine: p.endLine, col: p.startColumn, endColumn: p.endColumn,
});
const annotate = (level) => (message, properties) =>
  command(level, place(properties), message instanceof Error ? message.toString() : message);

class Summary {
  constructor() { this.buffer = ''; }
  addRaw(text, eol = false) { this.buffer += text; return eol ? this.addEOL() : this; }
  addEOL() { this.buffer += os.EOL; return this; }
  tag(name, content, attributes = {}) {
    const words = Object.entries(attributes).map(([key, value]) => ` ${key}="${value}"`).join('');
    return content === null ? `<${name}${words}>` : `<${name}${words}>${content}</${name}>`;
  }
  add(name, content, attributes) { return this.addRaw(this.tag(name, content, attributes)).addEOL(); }
  addCodeBlock(code, lang) { return this.add('pre', this.tag('code', code), lang ? {lang} : {}); }
  addList(items, ordered = false) {
    return this.add(ordered ? 'ol' : 'ul', items.map((item) => this.tag('li', item)).join(''));
  }
  addTable(rows) {
    const cell = (c) => {
      if (typeof c === 'string') return this.tag('td', c);
      const attributes = {};
      if (c.colspan) attributes.colspan = c.colspan;
      if (c.rowspan) attributes.rowspan = c.rowspan;
      return this.tag(c.header ? 'th' : 'td', c.data, attributes);
    };
    return this.add('table', rows.map((row) => this.tag('tr', row.map(cell).join(''))).join(''));
  }
  addDetails(label, content) { return this.add('details', this.tag('summary', label) + content); }
  addImage(src, alt, options = {}) {
    return this.addRaw(this.tag('img', null, {src, alt, ...options})).addEOL();
  }
  addHeading(text, level = 1) { return this.add(`h${[1, 2, 3, 4, 5, 6].includes(Number(level)) ? level : 1}`, text); }
  addSeparator() { return this.addRaw('<hr>').addEOL(); }
  addBreak() { return this.addRaw('<br>').addEOL(); }
  addQuote(text, cite) { return this.add('blockquote', text, cite ? {cite} : {}); }
  addLink(text, href) { return this.add('a', text, {href}); }
  stringify() { return this.buffer; }
  isEmptyBuffer() { return this.buffer.length === 0; }
  emptyBuffer() { this.buffer = ''; return this; }
  async write(options = {}) {
    const write = options.overwrite ? fs.writeFileSync : fs.appendFileSync;
    write(process.env.GITHUB_STEP_SUMMARY, this.buffer);
    return this.emptyBuffer();
  }
  async clear() { return this.emptyBuffer().write({overwrite: true}); }
}

const summary = new Summary();

function getInput(name, options = {}) {
  const value = process.env[`INPUT_${name.replace(/ /g, '_').toUpperCase()}`] || '';
  if (options.required && !value) throw new Error(`Input required and not supplied: ${name}`);
  return options.trimWhitespace === false ? value : value.trim();
}

const core = {
  ExitCode: {Success: 0, Failure: 1},
  info: (message) => process.stdout.write(message + os.EOL),
  debug: (message) => command('debug', {}, message),
  notice: annotate('notice'),
  warning: annotate('warning'),
  error: annotate('error'),
  isDebug: () => process.env.RUNNER_DEBUG === '1',
  setFailed(message) { process.exitCode = 1; core.error(message); },
  setOutput: (name, value) => toFile('GITHUB_OUTPUT', name, value),
  saveState: (name, value) => toFile('GITHUB_STATE', name, value),
  getState: (name) => process.env[`STATE_${name}`] || '',
  exportVariable(name, value) { process.env[name] = asText(value); toFile('GITHUB_ENV', name, value); },
  addPath(folder) {
    fs.appendFileSync(process.env.GITHUB_PATH, folder + os.EOL);
    process.env.PATH = `${folder}${path.delimiter}${process.env.PATH}`;
  },
  setSecret: (secret) => command('add-mask', {}, secret),
  setCommandEcho: (on) => command('echo', {}, on ? 'on' : 'off'),
  startGroup: (name) => command('group', {}, name),
  endGroup: () => command('endgroup', {}, ''),
  async group(name, work) {
    core.startGroup(name);
    try { return await work(); } finally { core.endGroup(); }
  },
  getInput,
  getMultilineInput: (name, options) => getInput(name, options).split('\n').filter((line) => line !== ''),
  getBooleanInput(name, options) {
    const text = getInput(name, options);
    if (['true', 'True', 'TRUE'].includes(text)) return true;
    if (['false', 'False', 'FALSE'].includes(text)) return false;
    throw new TypeError(`Input does not meet YAML 1.2 "Core Schema" specification: ${name}`);
  },
  async getIDToken() { throw new Error('There are no identity tokens here: this run is not on GitHub.'); },
  toPosixPath: (text) => text.replace(/[\\]/g, '/'),
  toWin32Path: (text) => text.replace(/[/]/g, '\\'),
  toPlatformPath: (text) => text.replace(/[/\\]/g, path.sep),
  summary,
  markdownSummary: summary,
};

// -- exec and io -------------------------------------------------------------------------------------------------

function splitCommand(line) {
  const words = [];
  let word = '', quoted = false, begun = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (character === '\\' && quoted && line[at + 1] === '"') { word += '"'; at++; }
    else if (character === '"') { quoted = !quoted; begun = true; }
    else if (character === ' ' && !quoted) { if (begun || word) words.push(word); word = ''; begun = false; }
    else { word += character; begun = true; }
  }
  if (begun || word) words.push(word);
  return words;
}

function exec(line, args, options = {}) {
  const words = splitCommand(line);
  if (!words.length) return Promise.reject(new Error("Parameter 'commandLine' cannot be null or empty."));
  const [tool, ...rest] = [...words, ...(args || [])];
  const listeners = options.listeners || {};
  if (!options.silent) process.stdout.write(`[command]${[tool, ...rest].join(' ')}${os.EOL}`);
  return new Promise((resolve, reject) => {
    const child = childProcess.spawn(tool, rest, {
      cwd: options.cwd || process.cwd(), env: options.env || process.env, stdio: ['pipe', 'pipe', 'pipe'],
    });
    const rests = {stdline: '', errline: ''};
    const hear = (stream, whole, lines, out) => stream.on('data', (data) => {
      if (listeners[whole]) listeners[whole](data);
      if (!options.silent) out.write(data);
      if (!listeners[lines]) return;
      const parts = (rests[lines] + data.toString()).split(/\r?\n/);
      rests[lines] = parts.pop();
      parts.forEach((part) => listeners[lines](part));
    });
    hear(child.stdout, 'stdout', 'stdline', options.outStream || process.stdout);
    hear(child.stderr, 'stderr', 'errline', options.errStream || process.stderr);
    let complained = false;
    child.stderr.on('data', () => { complained = true; });
    child.on('error', (error) => reject(new Error(`Unable to locate executable file: ${tool}. ${error.message}`)));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('close', (code) => {
      for (const key of ['stdline', 'errline']) if (rests[key] && listeners[key]) listeners[key](rests[key]);
      if (code !== 0 && !options.ignoreReturnCode) {
        reject(new Error(`The process '${tool}' failed with exit code ${code}`));
      } else if (complained && options.failOnStdErr) {
        reject(new Error(`The process '${tool}' failed because one or more lines were written to the STDERR stream`));
      } else resolve(code === null ? 1 : code);
    });
  });
}

async function getExecOutput(line, args, options = {}) {
  let stdout = '', stderr = '';
  const own = options.listeners || {};
  const listeners = {
    ...own,
    stdout: (data) => { stdout += data.toString(); if (own.stdout) own.stdout(data); },
    stderr: (data) => { stderr += data.toString(); if (own.stderr) own.stderr(data); },
  };
  const exitCode = await exec(line, args, {...options, listeners});
  return {exitCode, stdout, stderr};
}

async function findInPath(tool) {
  const isProgram = (file) => {
    try { fs.accessSync(file, fs.constants.X_OK); return fs.statSync(file).isFile(); } catch { return false; }
  };
  if (tool.includes(path.sep)) return isProgram(tool) ? [tool] : [];
  const folders = (process.env.PATH || '').split(path.delimiter).filter(Boolean);
  return folders.map((folder) => path.join(folder, tool)).filter(isProgram);
}

const io = {
  async cp(source, target, options = {}) {
    const {force = true, recursive = false, copySourceDirectory = true} = options;
    const isFolder = fs.statSync(source).isDirectory();
    if (isFolder && !recursive) throw new Error(`Failed to copy. ${source} is a directory, but tried to copy without recursive flag.`);
    const into = fs.existsSync(target) && fs.statSync(target).isDirectory() && copySourceDirectory;
    const goal = into ? path.join(target, path.basename(source)) : target;
    if (fs.existsSync(goal) && !isFolder && !force) return;
    fs.cpSync(source, goal, {recursive: true, force});
  },
  async mv(source, target, options = {}) {
    const into = fs.existsSync(target) && fs.statSync(target).isDirectory();
    const goal = into ? path.join(target, path.basename(source)) : target;
    if (fs.existsSync(goal)) {
      if (options.force === false) throw new Error('Destination already exists');
      fs.rmSync(goal, {recursive: true, force: true});
    }
    fs.mkdirSync(path.dirname(goal), {recursive: true});
    fs.renameSync(source, goal);
  },
  async rmRF(target) { fs.rmSync(target, {recursive: true, force: true, maxRetries: 3}); },
  async mkdirP(folder) { fs.mkdirSync(folder, {recursive: true}); },
  async which(tool, check) {
    const found = await findInPath(tool);
    if (!found.length && check) throw new Error(`Unable to locate executable file: ${tool}.`);
    return found[0] || '';
  },
  findInPath,
};

// -- glob --------------------------------------------------------------------------------------------------------

function patternRule(pattern) {
  const parts = path.resolve(pattern.replace(/^~(?=$|\/)/, os.homedir())).split('/').filter(Boolean);
  let text = '';
  for (const part of parts) {
    if (part === '**') { text += '(?:/[^/]+)*'; continue; }
    text += '/' + part.replace(/\[([^\]]+)\]|[.+^${}()|\\]|\*+|\?/g, (found, set) =>
      set ? `[${set.replace(/^!/, '^')}]` : found === '?' ? '[^/]' : found[0] === '*' ? '[^/]*' : `\\${found}`);
  }
  return {rule: new RegExp(`^${text || '/'}$`), below: new RegExp(`^${text}/`)};
}

function searchPath(pattern) {
  const parts = path.resolve(pattern.replace(/^~(?=$|\/)/, os.homedir())).split('/');
  const wild = parts.findIndex((part) => /[*?[]/.test(part));
  return (wild < 0 ? parts : parts.slice(0, wild)).join('/') || '/';
}

async function globCreate(text, options = {}) {
  const {followSymbolicLinks = true, implicitDescendants = true, matchDirectories = true, excludeHiddenFiles = false} = options;
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
  const rules = lines.map((line) => ({wanted: !line.startsWith('!'), ...patternRule(line.replace(/^!/, ''))}));
  const wanted = lines.filter((line) => !line.startsWith('!')).map(searchPath);
  const roots = wanted.filter((one, at) => wanted.indexOf(one) === at && !wanted.some((other) => other !== one && one.startsWith(other + '/')));
  const selected = (file) => rules.reduce((found, {wanted: yes, rule, below}) =>
    rule.test(file) || (implicitDescendants && below.test(file)) ? yes : found, false);
  async function* walk(file, seen) {
    let facts;
    try { facts = followSymbolicLinks ? fs.statSync(file) : fs.lstatSync(file); } catch { return; }
    if (excludeHiddenFiles && path.basename(file).startsWith('.')) return;
    if (!facts.isDirectory()) { if (selected(file)) yield file; return; }
    const real = fs.realpathSync(file);
    if (seen.includes(real)) return;
    if (matchDirectories && selected(file)) yield file;
    for (const name of fs.readdirSync(file).sort()) yield* walk(path.join(file, name), [...seen, real]);
  }
  async function* globGenerator() { for (const root of roots) yield* walk(root, []); }
  return {
    getSearchPaths: () => roots,
    globGenerator,
    async glob() { const found = []; for await (const file of globGenerator()) found.push(file); return found; },
  };
}

async function hashFiles(patterns, workspace = '', options = {}) {
  const root = workspace || process.env.GITHUB_WORKSPACE || process.cwd();
  const total = crypto.createHash('sha256');
  let count = 0;
  for await (const file of (await globCreate(patterns, options)).globGenerator()) {
    if (!file.startsWith(root + path.sep) || fs.statSync(file).isDirectory()) continue;
    total.update(crypto.createHash('sha256').update(fs.readFileSync(file)).digest());
    count += 1;
  }
  return count ? total.digest('hex') : '';
}

// -- github ------------------------------------------------------------------------------------------------------

const ROUTES = require('./github_routes.json');

function refuse(what) {
  throw new Error(
    `${what}: the forge's API is not asked from here. Give its address to allow it, for example ` +
    '--env GITHUB_API_URL=https://api.github.com, with a token as --secret GITHUB_TOKEN.');
}

async function request(route, parameters = {}) {
  const options = typeof route === 'string' ? {...parameters} : {...route};
  const text = typeof route === 'string' ? route : `${route.method || 'GET'} ${route.url}`;
  let [method, url] = text.includes(' ') ? text.split(' ') : ['GET', text];
  if (!given.api) refuse(`github.request("${text}")`);
  for (const key of ['method', 'url', 'mediaType', 'baseUrl', 'request']) delete options[key];
  const headers = {accept: 'application/vnd.github+json', 'user-agent': given.user_agent, ...(options.headers || {})};
  delete options.headers;
  if (given.token) headers.authorization = `token ${given.token}`;
  url = url.replace(/\{\+?([a-z_]+)\}/g, (_, key) => {
    const value = options[key];
    if (value === undefined) throw new Error(`Empty value for parameter '${key}': ${value}`);
    delete options[key];
    return key === 'path' ? String(value).split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
  });
  const base = url.startsWith('http') ? '' : given.api.replace(/\/$/, '');
  let body;
  if (method === 'GET' || method === 'HEAD') {
    const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== undefined)).toString();
    if (query) url += (url.includes('?') ? '&' : '?') + query;
  } else {
    body = 'data' in options ? options.data : Object.keys(options).length ? JSON.stringify(options) : undefined;
    if (body !== undefined) headers['content-type'] = headers['content-type'] || 'application/json';
  }
  const answer = await fetch(base + url, {method, headers, body});
  const isJson = (answer.headers.get('content-type') || '').includes('json');
  const data = answer.status === 204 ? undefined : isJson ? await answer.json() : await answer.text();
  const response = {status: answer.status, url: answer.url, headers: Object.fromEntries(answer.headers), data};
  if (answer.status >= 400) {
    const error = new Error((data && data.message) || `HTTP ${answer.status}`);
    throw Object.assign(error, {name: 'HttpError', status: answer.status, response, request: {method, url}});
  }
  return response;
}

async function graphql(query, variables = {}) {
  if (!given.api) refuse('github.graphql');
  const {data} = await request('POST /graphql', {data: JSON.stringify({query, variables})});
  if (data.errors) throw Object.assign(new Error(data.errors[0].message), {errors: data.errors, data: data.data});
  return data.data;
}

async function* pages(method, parameters = {}) {
  const first = {per_page: 30, ...parameters};
  let next = () => (typeof method === 'function' ? method(first) : typeof method === 'string' ? request(method, first) : request({...method, ...first}));
  while (next) {
    const response = await next();
    if (response.data && !Array.isArray(response.data)) {
      const key = Object.keys(response.data).find((name) => Array.isArray(response.data[name]));
      if (key) response.data = Object.assign(response.data[key], {total_count: response.data.total_count});
    }
    yield response;
    const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.link || '');
    next = link ? () => request(`GET ${link[1]}`) : null;
  }
}

async function paginate(method, parameters, map) {
  const found = [];
  let stopped = false;
  for await (const response of pages(method, parameters)) {
    found.push(...(map ? map(response, () => { stopped = true; }) : response.data));
    if (stopped) break;
  }
  return found;
}
paginate.iterator = pages;

const rest = new Proxy({}, {
  get: (_, group) => new Proxy({}, {
    get: (__, name) => {
      const label = `github.rest.${String(group)}.${String(name)}`;
      const call = async (parameters) => {
        if (!given.api) refuse(label);
        const route = (ROUTES[group] || {})[name];
        if (!route) throw new Error(`${label} is not known here; write it as github.request("METHOD /path", {...}).`);
        return request(route, parameters);
      };
      const merge = (parameters) => {
        const [method, url] = ((ROUTES[group] || {})[name] || refuse(label)).split(' ');
        return {method, url, ...parameters};
      };
      return Object.assign(call, {endpoint: {merge}});
    },
  }),
});

const github = {rest, request, graphql, paginate, log: {debug() {}, info() {}, warn: core.warning, error: core.error}};

// -- the script --------------------------------------------------------------------------------------------------

const {payload} = given.context;
const context = {
  ...given.context,
  get issue() {
    const numbered = payload.issue || payload.pull_request || payload;
    return {...given.context.repo, number: numbered.number};
  },
};

const fromWorkspace = createRequire(path.join(process.cwd(), 'script.js'));
const glob = {create: globCreate, hashFiles};
const AsyncFunction = Object.getPrototypeOf(async () => null).constructor;
const scope = {
  require: fromWorkspace, __original_require__: require, github, octokit: github, getOctokit: () => github,
  context, core, exec: {exec, getExecOutput}, glob, io,
};

process.on('unhandledRejection', (error) => { core.setFailed(`Unhandled error: ${error}`); process.exit(1); });

(async () => {
  const script = new AsyncFunction(...Object.keys(scope), given.script);
  const result = await script(...Object.values(scope));
  core.setOutput('result', given.encoding === 'string' ? String(result) : JSON.stringify(result));
})().catch((error) => {
  console.error(error);
  core.setFailed(`Unhandled error: ${error}`);
});
