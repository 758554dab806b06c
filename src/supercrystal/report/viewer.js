/* The 3-D view of one run: spheres in a film between a substrate and an interface, or in a periodic cell. What
 * there is more to say of cuboids is in cuboids.js.
 *
 * Plain JavaScript without libraries, so that the report opens from a file years from now. Lengths are nm.
 * Everything is turned into view space (x right, y up, z towards the reader) here, and handed to one of two
 * painters: WebGL 2, where each sphere is a quad whose fragments are ray-traced, or a 2-D canvas with shaded
 * sprites where WebGL is missing, slow or fails. Nothing is drawn unless something changed.
 */
function supercrystalViewer(root) {
  "use strict";
  const find = (selector) => root.querySelector(selector);
  const data = JSON.parse(find("script[type='application/json']").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const quantised = new Int16Array(bytes(data.positions).buffer); // (T, N, 3); every browser is little-endian
  const labels = bytes(data.labels); // (T, N)
  const surfaceBits = bytes(data.surface); // (T, N), eight to a byte, lowest bit first
  const shellDiameter = new Float32Array(bytes(data.diameters).buffer);
  const coreDiameter = new Float32Array(bytes(data.core_diameters).buffer);
  const [T, N] = data.shape;
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
  const colours = data.colours.map(rgb);
  const fixed = (value) => value.toFixed(1).replace("-", "\u2212");
  const finite = (value) => value !== null && Number.isFinite(value);

  const home = { yaw: -1.13, pitch: 0.3, zoom: 1, panX: 0, panY: 0 };
  const view = { ...home, frame: T - 1, hidden: new Set() };
  const FIELD_OF_VIEW = (28 * Math.PI) / 180;
  const cuboids = data.bodies ? supercrystalCuboids(data.bodies, N, bytes) : null;
  const STRIDE = cuboids ? cuboids.STRIDE : 8; // x y z radius r g b alpha
  const items = new Float32Array(2 * N * STRIDE);
  const control = (name) => find(`[data-control='${name}']`);
  const sides = (frame) => (data.cells ? data.cells[frame] : data.box); // a periodic cell has one for each frame
  const top = (frame) => data.cells ? data.cells[frame][2] / 2 : (finite(data.interface_z[frame]) ? data.interface_z[frame] : data.z_range[1]);

  // ---- camera ---------------------------------------------------------------------------------------------
  function camera(width, height) {
    const whole = !control("follow").checked;
    const high = !whole ? top(view.frame)
      : data.cells ? data.box[2] / 2 : Math.max(...data.interface_z.filter(finite), data.z_range[1]);
    const low = data.cells ? -high : data.substrate_z;
    const [Lx, Ly] = whole ? data.box : sides(view.frame);
    const span = high - low;
    const [cy, sy] = [Math.cos(view.yaw), Math.sin(view.yaw)];
    const [cp, sp] = [Math.cos(view.pitch), Math.sin(view.pitch)];
    const right = [-sy, cy, 0], up = [-sp * cy, -sp * sy, cp], toward = [cp * cy, cp * sy, sp];
    const half = (axis) => (Math.abs(axis[0]) * Lx + Math.abs(axis[1]) * Ly + Math.abs(axis[2]) * span) / 2;
    const tangent = Math.tan(FIELD_OF_VIEW / 2), aspect = width / height;
    // As near as keeps every corner of the box, and the spheres that stick out of it, in the picture.
    const spare = 1.3 * data.largest;
    let fit = 0;
    for (let corner = 0; corner < 8; corner++) {
      const [x, y, z] = [Lx, Ly, span].map((length, k) => ((corner >> k) & 1 ? length / 2 : -length / 2));
      const along = (axis) => axis[0] * x + axis[1] * y + axis[2] * z;
      const extent = Math.max(Math.abs(along(up)) + spare, (Math.abs(along(right)) + spare) / aspect);
      fit = Math.max(fit, extent / tangent + along(toward));
    }
    const distance = fit / view.zoom;
    const centre = [0, 0, (low + high) / 2];
    const ortho = control("parallel").checked;
    const reach = Math.hypot(Lx, Ly, span) + 4 * data.largest;
    const near = Math.max(distance - reach, distance * 0.02), far = distance + reach;
    const focal = 1 / tangent;
    const fx = focal / aspect;
    const depth = far - near, sum = far + near;
    const projection = ortho
      ? [fx / distance, 0, 0, 0, 0, focal / distance, 0, 0, 0, 0, -2 / depth, 0, 0, 0, -sum / depth, 1]
      : [fx, 0, 0, 0, 0, focal, 0, 0, 0, 0, -sum / depth, -1, 0, 0, (-2 * far * near) / depth, 0];
    const toView = (x, y, z) => {
      const a = x - centre[0], b = y - centre[1], c = z - centre[2];
      return [
        right[0] * a + right[1] * b + view.panX,
        up[0] * a + up[1] * b + up[2] * c + view.panY,
        toward[0] * a + toward[1] * b + toward[2] * c - distance,
      ];
    };
    const scaleAt = (z) => ((focal * height) / 2) / (ortho ? distance : Math.max(-z, near)); // px per nm
    const toScreen = (p) => [width / 2 + p[0] * scaleAt(p[2]), height / 2 - p[1] * scaleAt(p[2])];
    const fog = [distance - half(toward), distance + half(toward)];
    return {
      projection, toView, toScreen, scaleAt, distance, ortho, near, fog, toward, right, up, low,
      high: top(view.frame),
    };
  }

  // ---- scene ----------------------------------------------------------------------------------------------
  /* Fills `items` with opaque spheres, then with translucent ones from far to near. */
  function compose(cam) {
    const mode = control("show").value, fade = control("fade").checked;
    const [axis, sign] = control("side").value.split(",").map(Number);
    const cut = Number(control("cut").value) / 100;
    const [first, last] = axis === 2 ? [cam.low, cam.high] : [-sides(view.frame)[axis] / 2, sides(view.frame)[axis] / 2];
    const plane = sign > 0 ? last - cut * (last - first) : first + cut * (last - first);
    const said = cut ? `${"xyz"[axis]} ${sign > 0 ? ">" : "<"} ${fixed(plane)} nm hidden` : "nothing hidden";
    control("cut").setAttribute("aria-valuetext", said);
    find("[data-text='cut']").textContent = said;
    const { offset, scale } = data.quantisation;
    const start = view.frame * N;
    const spheres = [[], []];
    const counts = colours.map(() => 0);
    for (let i = 0; i < N; i++) {
      const at = start + i, label = labels[at];
      counts[label]++;
      if (view.hidden.has(label)) continue;
      const p = [0, 1, 2].map((k) => offset[k] + scale[k] * quantised[3 * at + k]);
      if (cut > 0 && (p[axis] - plane) * sign > 0) continue;
      const [x, y, z] = cam.toView(p[0], p[1], p[2]);
      const faded = fade && (surfaceBits[at >> 3] >> (at & 7)) & 1;
      const [r, g, b] = colours[label];
      const add = (core, alpha) => {
        const item = [x, y, z, (core ? coreDiameter : shellDiameter)[i] / 2, r, g, b, alpha];
        spheres[alpha < 1 ? 1 : 0].push(cuboids ? cuboids.extend(item, i, view.frame, core) : item);
      };
      if (mode !== "whole") add(true, faded ? 0.3 : 1);
      if (mode === "both") add(false, faded ? 0.06 : 0.3);
      if (mode === "whole") add(false, faded ? 0.22 : 1);
    }
    spheres[1].sort((a, b) => a[2] - b[2]);
    let n = 0;
    for (const group of spheres) for (const sphere of group) items.set(sphere, STRIDE * n++);
    return { opaque: spheres[0].length, total: n, counts };
  }

  /* Outline of the box and the two planes as polygons in view space. */
  function walls(cam, dark) {
    const [x, y] = sides(view.frame).map((side) => side / 2);
    const corners = [[-x, -y], [x, -y], [x, y], [-x, y]];
    const ring = (z) => corners.map(([a, b]) => cam.toView(a, b, z));
    const list = [];
    const eye = cam.ortho ? cam.toward[2] * 1e9 : cam.toward[2] * cam.distance;
    const middle = (cam.low + cam.high) / 2;
    if (control("outline").checked) {
      const colour = rgb(dark ? "#8b97a3" : "#6b7885"), [floor, roof] = data.cells ? [-top(view.frame), top(view.frame)] : [cam.low, cam.high];
      const bottom = ring(floor), lid = ring(roof);
      const edges = [bottom, lid, ...corners.map((_, i) => [bottom[i], lid[i]])];
      edges.forEach((points) => list.push({ name: "box", points, colour, edge: 0.9 }));
    }
    if (control("planes").checked && !data.cells) {
      const { substrate_z: floor, interface_z: { [view.frame]: film } } = data;
      const add = (name, z, colour, fill, nearer) =>
        list.push({ name, points: ring(z), colour: rgb(colour), fill, edge: 0.9, nearer });
      add("substrate", floor, data.substrate_colour, 0.38, eye < floor - middle);
      if (finite(film)) add("interface", film, data.interface_colour, 0.16, eye > film - middle);
    }
    return list;
  }

  // ---- painter 1: WebGL 2 ---------------------------------------------------------------------------------
  const SPHERE_VERTEX = `#version 300 es
    layout(location=0) in vec2 corner; layout(location=1) in vec4 sphere; layout(location=2) in vec4 paint;
    uniform mat4 projection; uniform bool parallel;
    out vec3 at; flat out vec4 ball; flat out vec4 colour;
    void main() {
      vec3 toward = parallel ? vec3(0, 0, 1) : normalize(-sphere.xyz);
      float d = length(sphere.xyz);
      // In perspective the silhouette is wider than the radius.
      float reach = parallel ? sphere.w : sphere.w * d / sqrt(max(d * d - sphere.w * sphere.w, 1e-4 * d * d));
      vec3 right = normalize(cross(vec3(0, 1, 0), toward));
      at = sphere.xyz + 1.06 * reach * (corner.x * right + corner.y * cross(toward, right));
      ball = sphere; colour = paint;
      gl_Position = projection * vec4(at, 1);
    }`;
  const shine = cuboids ? "(body.x > 0.0 ? 0.08 : 0.22)" : "0.22"; // a flat face would all turn white
  const SPHERE_FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 at; flat in vec4 ball; flat in vec4 colour; out vec4 pixel;
    uniform mat4 projection; uniform bool parallel; uniform vec3 background; uniform vec2 fog;${cuboids ? cuboids.DECLARATIONS : ""}
    void main() {
      vec3 origin = parallel ? vec3(at.xy, 0) : vec3(0), ray = parallel ? vec3(0, 0, -1) : normalize(at);
      float along = dot(ball.xyz - origin, ray), miss = length(ball.xyz - origin - along * ray);
      float cover = clamp((ball.w - miss) / max(fwidth(miss), 1e-6) + 0.5, 0.0, 1.0);
      ${cuboids ? "float across = 0.5 * (fwidth(at.x) + fwidth(at.y)); // one dot of the picture [nm]" : ""}
      if (cover <= 0.0) discard;
      vec3 hit = origin + ray * (along - sqrt(max(ball.w * ball.w - miss * miss, 0.0)));
      vec3 normal = normalize(hit - ball.xyz), light = normalize(vec3(-0.45, 0.65, 0.7));${cuboids ? cuboids.TRACE : ""}
      float facing = clamp(dot(normal, -ray), 0.0, 1.0);
      float diffuse = pow(0.5 + 0.5 * dot(normal, light), 1.4);
      float gloss = pow(max(dot(normal, normalize(light - ray)), 0.0), 42.0);
      float rim = mix(0.5, 1.0, smoothstep(0.0, 0.42, facing));
      bool solid = colour.a >= 1.0;
      vec3 lit = colour.rgb * (0.36 + 0.8 * diffuse) * (solid ? rim : 1.0) + ${shine} * gloss;
      // A far plane of the film fades a little into the page: depth that one still picture shows.
      lit = mix(lit, background, 0.38 * smoothstep(fog.x, fog.y, -hit.z));
      // A shell is thin where it is looked through and dense at its limb.
      pixel = vec4(lit, solid ? cover : cover * colour.a * (0.3 + 0.9 * pow(1.0 - facing, 1.6)));
      vec4 clip = projection * vec4(hit, 1);
      gl_FragDepth = 0.5 + 0.5 * clip.z / clip.w;
    }`;
  const FLAT_VERTEX = `#version 300 es
    layout(location=0) in vec3 point; uniform mat4 projection;
    void main() { gl_Position = projection * vec4(point, 1); }`;
  const FLAT_FRAGMENT = `#version 300 es
    precision mediump float; uniform vec4 colour; out vec4 pixel;
    void main() { pixel = colour; }`;

  function webglPainter(canvas) {
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: false, preserveDrawingBuffer: true });
    if (!gl) return null;
    // A WebGL that is computed on the processor is slower than painter 2, so it counts as missing.
    const naming = gl.getExtension("WEBGL_debug_renderer_info");
    const device = gl.getParameter(naming ? naming.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
    const slow = /swiftshader|llvmpipe|softpipe|basic render/i.test(device);
    if (slow && !location.hash.includes("webgl")) return null;
    const build = (...sources) => {
      const program = gl.createProgram();
      sources.forEach((source, i) => {
        const shader = gl.createShader(i ? gl.FRAGMENT_SHADER : gl.VERTEX_SHADER);
        gl.shaderSource(shader, source);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
      });
      gl.linkProgram(program);
      if (!gl.getProgramParameter(program, gl.LINK_STATUS))
        throw new Error(gl.getProgramInfoLog(program) || "no shaders");
      return { program, at: (name) => gl.getUniformLocation(program, name) };
    };
    const ballProgram = build(cuboids ? cuboids.VERTEX : SPHERE_VERTEX, SPHERE_FRAGMENT);
    const flatProgram = build(FLAT_VERTEX, FLAT_FRAGMENT);
    const buffer = (size, usage, contents) => {
      const made = gl.createBuffer();
      gl.bindBuffer(gl.ARRAY_BUFFER, made);
      gl.bufferData(gl.ARRAY_BUFFER, contents || size, usage);
      return made;
    };
    const balls = gl.createVertexArray();
    gl.bindVertexArray(balls);
    buffer(0, gl.STATIC_DRAW, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]));
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
    const instances = buffer(items.byteLength, gl.DYNAMIC_DRAW);
    const point = (first) => (cuboids ? cuboids.SIZES : [4, 4]).forEach((size, k) => {
      gl.enableVertexAttribArray(k + 1);
      gl.vertexAttribPointer(k + 1, size, gl.FLOAT, false, 4 * STRIDE, 4 * STRIDE * first + 16 * k);
      gl.vertexAttribDivisor(k + 1, 1);
    });
    const flat = gl.createVertexArray();
    gl.bindVertexArray(flat);
    const flatBuffer = buffer(4 * 12, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
    gl.enable(gl.DEPTH_TEST);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);

    return (cam, scene, planes, background) => {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.depthMask(true);
      gl.clearColor(...background, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      const drawBalls = (first, count) => {
        if (!count) return;
        gl.useProgram(ballProgram.program);
        gl.uniformMatrix4fv(ballProgram.at("projection"), false, cam.projection);
        gl.uniform1i(ballProgram.at("parallel"), cam.ortho ? 1 : 0);
        gl.uniform3fv(ballProgram.at("background"), background);
        gl.uniform2fv(ballProgram.at("fog"), cam.fog);
        if (cuboids) // columns: what the cell's x, y and z are in view space
          gl.uniformMatrix3fv(ballProgram.at("view"), false, [0, 1, 2].flatMap((k) => [cam.right[k], cam.up[k], cam.toward[k]]));
        gl.bindVertexArray(balls);
        gl.bindBuffer(gl.ARRAY_BUFFER, instances);
        point(first);
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
      };
      const drawWall = (wall, filled) => {
        gl.useProgram(flatProgram.program);
        gl.uniformMatrix4fv(flatProgram.at("projection"), false, cam.projection);
        gl.uniform4f(flatProgram.at("colour"), ...wall.colour, filled ? wall.fill : wall.edge);
        gl.bindVertexArray(flat);
        gl.bindBuffer(gl.ARRAY_BUFFER, flatBuffer);
        gl.bufferSubData(gl.ARRAY_BUFFER, 0, new Float32Array(wall.points.flat()));
        gl.drawArrays(filled ? gl.TRIANGLE_FAN : gl.LINE_LOOP, 0, wall.points.length);
      };
      gl.bindBuffer(gl.ARRAY_BUFFER, instances);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, items, 0, scene.total * STRIDE);
      gl.disable(gl.BLEND);
      gl.enable(gl.SAMPLE_ALPHA_TO_COVERAGE); // smooth limbs without sorting
      drawBalls(0, scene.opaque);
      gl.disable(gl.SAMPLE_ALPHA_TO_COVERAGE);
      gl.enable(gl.BLEND);
      planes.forEach((wall) => drawWall(wall, false));
      gl.depthMask(false);
      planes.filter((wall) => wall.fill && !wall.nearer).forEach((wall) => drawWall(wall, true));
      drawBalls(scene.opaque, scene.total - scene.opaque);
      planes.filter((wall) => wall.fill && wall.nearer).forEach((wall) => drawWall(wall, true));
    };
  }

  // ---- painter 2: a plain canvas --------------------------------------------------------------------------
  function flatPainter(canvas) {
    const ctx = canvas.getContext("2d");
    const SIZE = 64, LEVELS = 6;
    const css = (c, alpha) => `rgba(${c.map((v) => Math.round(255 * Math.min(1, v))).join(",")},${alpha})`;
    const sprites = new Map();
    let paper = "";
    /* A shaded disc, made once for each colour and each of a few strengths of the fade with distance. */
    const sprite = (r, g, b, solid, level, background) => {
      const key = ((((r * 255) << 16) | ((g * 255) << 8) | (b * 255)) * 2 + (solid ? 1 : 0)) * LEVELS + level;
      if (sprites.has(key)) return sprites.get(key);
      const made = document.createElement("canvas"), mid = SIZE / 2;
      made.width = made.height = SIZE;
      const pen = made.getContext("2d");
      const shade = pen.createRadialGradient(SIZE * 0.36, SIZE * 0.32, SIZE * 0.03, mid, mid, mid);
      const fade = (0.38 * level) / (LEVELS - 1);
      const stops = [[0, 1.1, 0.24], [0.25, 1.08, 0.05], [0.65, 0.9, 0], [0.9, 0.58, 0], [1, 0.4, 0]];
      stops.forEach(([at, k, lift]) => {
        const tone = [r, g, b].map((v, i) => (1 - fade) * Math.min(1, k * v + lift) + fade * background[i]);
        shade.addColorStop(at, css(tone, solid ? 1 : 0.5 + 0.5 * at));
      });
      pen.fillStyle = shade;
      pen.beginPath();
      pen.arc(mid, mid, mid - 1, 0, 2 * Math.PI);
      pen.fill();
      sprites.set(key, made);
      return made;
    };
    return (cam, scene, planes, background) => {
      ctx.globalAlpha = 1;
      ctx.fillStyle = css(background, 1);
      ctx.fillRect(0, 0, canvas.width, canvas.height);
      const trace = (wall, filled) => {
        ctx.beginPath();
        wall.points.forEach((p) => ctx.lineTo(...cam.toScreen(p)));
        ctx.closePath();
        ctx.globalAlpha = 1;
        ctx.lineWidth = 1.2;
        if (filled) { ctx.fillStyle = css(wall.colour, wall.fill); ctx.fill(); }
        else { ctx.strokeStyle = css(wall.colour, wall.edge); ctx.stroke(); }
      };
      planes.filter((wall) => !wall.nearer).forEach((wall) => {
        if (wall.fill) trace(wall, true);
        trace(wall, false);
      });
      // Without a depth buffer every sphere is painted, from far to near.
      const order = Uint32Array.from({ length: scene.total }, (_, i) => i);
      order.sort((a, b) => items[STRIDE * a + 2] - items[STRIDE * b + 2]);
      if (paper !== background.join()) sprites.clear();
      paper = background.join();
      for (const i of order) {
        const k = STRIDE * i, z = items[k + 2], scale = cam.scaleAt(z), radius = items[k + 3] * scale;
        if (-z <= cam.near) continue;
        const away = Math.min(1, Math.max(0, (-z - cam.fog[0]) / (cam.fog[1] - cam.fog[0])));
        const level = Math.round(away * away * (3 - 2 * away) * (LEVELS - 1));
        if (cuboids && items[k + 12]) {
          const fade = (0.38 * level) / (LEVELS - 1); // as the sprites have it
          cuboids.paint(ctx, cam, items, k, (bright) => css([0, 1, 2].map((c) =>
            (1 - fade) * Math.min(1, bright * items[k + 4 + c]) + fade * background[c]), 1));
          continue;
        }
        const disc = sprite(items[k + 4], items[k + 5], items[k + 6], items[k + 7] >= 1, level, background);
        const [px, py] = [canvas.width / 2 + items[k] * scale, canvas.height / 2 - items[k + 1] * scale];
        ctx.globalAlpha = items[k + 7];
        ctx.drawImage(disc, px - radius, py - radius, 2 * radius, 2 * radius);
      }
      planes.filter((wall) => wall.nearer).forEach((wall) => { trace(wall, true); trace(wall, false); });
    };
  }

  // ---- overlay: scale bar, axes, names of the planes ------------------------------------------------------
  function annotate(ctx, width, height, cam, planes, ratio, ink) {
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.font = "12px system-ui, sans-serif";
    ctx.fillStyle = ctx.strokeStyle = ink;
    ctx.lineWidth = 2;
    const perNm = cam.scaleAt(-cam.distance) / ratio;
    const target = Math.min(160, width / 4) / perNm, decade = 10 ** Math.floor(Math.log10(target));
    const length = [5, 2, 1].map((k) => k * decade).find((v) => v <= target) || decade;
    ctx.textAlign = "left";
    ctx.fillRect(16, height - 20, length * perNm, 3);
    ctx.fillText(`${length} nm`, 16, height - 27);
    const corner = [width - 46, height - 44];
    [["x", 0], ["y", 1], ["z", 2]].forEach(([name, k]) => {
      const dx = 26 * cam.right[k], dy = -26 * cam.up[k];
      ctx.lineWidth = 1.5;
      ctx.beginPath();
      ctx.moveTo(...corner);
      ctx.lineTo(corner[0] + dx, corner[1] + dy);
      ctx.stroke();
      ctx.textAlign = "center";
      if (Math.hypot(dx, dy) > 8) ctx.fillText(name, corner[0] + 1.4 * dx, corner[1] + 1.4 * dy + 4);
    });
    planes.filter((wall) => wall.name !== "box").forEach((wall) => {
      if (Math.abs(cam.toward[2]) > 0.8 && !wall.nearer) return; // its name would lie on the spheres
      const spots = wall.points.map((p) => cam.toScreen(p).map((v) => v / ratio));
      const spot = spots.reduce((best, p) => (p[0] < best[0] ? p : best));
      const room = spot[0] > 70, drop = wall.name === "substrate" ? 12 : -4;
      ctx.textAlign = room ? "right" : "left";
      ctx.fillText(wall.name, room ? spot[0] - 6 : Math.max(spot[0] + 4, 4), spot[1] + drop);
    });
  }

  // ---- drawing --------------------------------------------------------------------------------------------
  let canvas = find("canvas[data-layer='scene']"), paint = null, dirty = false;
  const overlay = find("canvas[data-layer='notes']"), notes = overlay.getContext("2d");

  function freshCanvas() { // a canvas keeps its first kind of context for life
    const made = canvas.cloneNode(false);
    canvas.replaceWith(made);
    canvas = made;
    return made;
  }
  function start(flatOnly) {
    paint = null;
    try {
      if (!flatOnly) paint = webglPainter(canvas);
    } catch (error) {
      console.warn(`WebGL 2 failed, drawing on a plain canvas instead: ${error.message}`);
    }
    root.dataset.painter = paint ? "webgl2" : "canvas2d";
    if (!paint) paint = flatPainter(freshCanvas());
    else canvas.addEventListener("webglcontextlost", () => { start(true); redraw(); });
  }
  function style(name) { return getComputedStyle(find(".sc-stage")).getPropertyValue(name).trim(); }
  function render(scaleUp = 1, paper = style("--sc-paper"), ink = style("--sc-ink")) {
    dirty = false;
    const ratio = Math.min(window.devicePixelRatio || 1, 2) * scaleUp;
    const width = overlay.clientWidth, height = overlay.clientHeight;
    if (!width || !height) return;
    for (const layer of [canvas, overlay]) {
      if (layer.width !== Math.round(width * ratio)) layer.width = Math.round(width * ratio);
      if (layer.height !== Math.round(height * ratio)) layer.height = Math.round(height * ratio);
    }
    const background = rgb(paper), dark = background[1] < 0.5;
    const cam = camera(canvas.width, canvas.height), planes = walls(cam, dark), scene = compose(cam);
    paint(cam, scene, planes, background);
    annotate(notes, width, height, cam, planes, ratio, ink);
    scene.counts.forEach((count, k) => { find(`[data-count='${k}']`).textContent = count; });
    const film = data.interface_z[view.frame], time = Number(data.times[view.frame].toPrecision(4));
    const high = data.cells ? `, cell ${fixed(Math.cbrt(sides(view.frame).reduce((a, b) => a * b)))} nm wide`
      : finite(film) ? `, film ${fixed(film - data.substrate_z)} nm high` : "";
    const text = `frame ${view.frame + 1} of ${T}, t = ${time} Brownian times${high}`;
    find("[data-text='time']").textContent = text;
    control("frame").setAttribute("aria-valuetext", text);
  }
  function redraw() { if (!dirty) { dirty = true; requestAnimationFrame(() => render()); } }

  // ---- controls -------------------------------------------------------------------------------------------
  let playing = 0;
  function show(frame) {
    view.frame = Math.min(T - 1, Math.max(0, frame));
    control("frame").value = view.frame;
    redraw();
  }
  function play(on) {
    clearInterval(playing);
    playing = 0;
    if (on && T > 1) {
      if (view.frame === T - 1) show(0);
      playing = setInterval(() => (view.frame < T - 1 ? show(view.frame + 1) : play(false)), 140);
    }
    control("play").textContent = playing ? "Pause" : "Play";
  }
  function savePng() {
    render(2);
    const sheet = document.createElement("canvas"), pen = sheet.getContext("2d");
    const unit = canvas.width / overlay.clientWidth;
    [sheet.width, sheet.height] = [canvas.width, canvas.height];
    pen.drawImage(canvas, 0, 0);
    pen.drawImage(overlay, 0, 0);
    pen.font = `${12 * unit}px system-ui, sans-serif`;
    data.label_names.forEach((name, k) => { // the legend is not part of the canvases
      const y = (18 + 18 * k) * unit;
      pen.fillStyle = data.colours[k];
      pen.fillRect(14 * unit, y - 9 * unit, 11 * unit, 11 * unit);
      pen.fillStyle = style("--sc-ink");
      pen.fillText(name + (view.hidden.has(k) ? " (hidden)" : ""), 31 * unit, y);
    });
    sheet.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `supercrystal-frame-${String(view.frame + 1).padStart(3, "0")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
    redraw();
  }
  const turn = (dx, dy) => {
    view.yaw -= dx;
    view.pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, view.pitch + dy));
    redraw();
  };
  const zoom = (factor) => { view.zoom = Math.max(0.3, Math.min(12, view.zoom * factor)); redraw(); };
  const pan = (dx, dy) => {
    const cam = camera(canvas.width, canvas.height);
    const perNm = (cam.scaleAt(-cam.distance) * overlay.clientWidth) / canvas.width;
    view.panX += dx / perNm;
    view.panY -= dy / perNm;
    redraw();
  };
  const quarter = Math.PI / 2;
  const views = { home: {}, side: { yaw: -quarter, pitch: 0 }, top: { yaw: -quarter, pitch: quarter } };

  const fingers = new Map();
  overlay.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    overlay.setPointerCapture(event.pointerId);
  });
  overlay.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (x, y) => Math.max(8, Math.hypot(x - other[0], y - other[1]));
      zoom(apart(event.clientX, event.clientY) / apart(...last));
      pan(dx / 2, dy / 2);
    } else if (event.shiftKey || event.buttons === 2) pan(dx, dy);
    else turn(dx * 0.008, dy * 0.008);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  ["pointerup", "pointercancel"].forEach((name) =>
    overlay.addEventListener(name, (event) => fingers.delete(event.pointerId)));
  overlay.addEventListener("contextmenu", (event) => event.preventDefault());
  overlay.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * 0.0012));
  }, { passive: false });
  const keys = {
    ArrowLeft: () => turn(0.08, 0), ArrowRight: () => turn(-0.08, 0),
    ArrowUp: () => turn(0, 0.08), ArrowDown: () => turn(0, -0.08),
    "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15),
    " ": () => play(!playing), ",": () => show(view.frame - 1), ".": () => show(view.frame + 1),
  };
  overlay.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (act && !event.ctrlKey && !event.metaKey) { event.preventDefault(); act(); }
  });
  control("frame").addEventListener("input", (event) => { play(false); show(Number(event.target.value)); });
  control("play").addEventListener("click", () => play(!playing));
  control("save").addEventListener("click", savePng);
  ["fade", "follow", "parallel", "outline", "planes", "show", "side", "cut"].forEach((name) =>
    control(name).addEventListener("input", redraw));
  root.querySelectorAll("[data-phase]").forEach((box) => box.addEventListener("input", () => {
    view.hidden[box.checked ? "delete" : "add"](Number(box.dataset.phase));
    redraw();
  }));
  root.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
    Object.assign(view, home, views[button.dataset.view]);
    redraw();
  }));
  // At once, not in the next animation frame: until it is redrawn, a resized canvas is shown stretched.
  if (window.ResizeObserver) new ResizeObserver(() => render()).observe(overlay);
  else window.addEventListener("resize", redraw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  // Browsers print a WebGL canvas empty but a 2-D one as it is: put the picture behind the notes, on white.
  window.addEventListener("beforeprint", () => {
    render(1.5, "#ffffff", "#000000");
    notes.setTransform(1, 0, 0, 1, 0, 0);
    notes.globalCompositeOperation = "destination-over";
    notes.drawImage(canvas, 0, 0);
    notes.globalCompositeOperation = "source-over";
  });
  window.addEventListener("afterprint", redraw);

  start(location.hash.includes("canvas2d")); // "report.html#canvas2d" and "#webgl" choose the painter
  render();
}
