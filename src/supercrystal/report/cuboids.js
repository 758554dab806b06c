/* Capped cuboids in the 3-D view: loaded before viewer.js, and only into pages that have any.
 *
 * A body is a cuboid, its corners cut or not, with a ball of radius `rounding` rolled over it. Its distance from a
 * point is exact: that to the nearest point of the cuboid less the rounding. Lengths are nm.
 */
function supercrystalCuboids(record, N, bytes) {
  "use strict";
  const kinds = bytes(record.kinds); // (N,): 0 is a sphere, k the shape k - 1
  const steps = new Int16Array(bytes(record.orientations).buffer); // (T, bodies, 3)
  const slots = new Int32Array(N); // of a body among the bodies
  let M = 0;
  for (let i = 0; i < N; i++) if (kinds[i]) slots[i] = M++;
  const faces = record.shapes.map(polygons);
  const STRIDE = 17; // x y z radius r g b alpha, quaternion x y z w, half edges, rounding, cut

  /* The rotation of body i as a unit quaternion (x, y, z, w), from modified Rodrigues parameters. */
  function quaternion(i, frame) {
    const at = 3 * (frame * M + slots[i]);
    const [x, y, z] = [0, 1, 2].map((k) => steps[at + k] / 32767);
    const square = x * x + y * y + z * z, over = 1 + square;
    return [(2 * x) / over, (2 * y) / over, (2 * z) / over, (1 - square) / over];
  }

  /* What the painters need beyond a sphere; `item` is that of the sphere with its radius. */
  function extend(item, i, frame, core) {
    if (!kinds[i]) return [...item, 0, 0, 0, 1, 0, 0, 0, item[3], 0];
    const { half, cut, rounding, reach } = record.shapes[kinds[i] - 1];
    const around = core ? 0 : rounding;
    item[3] = reach + around; // of the sphere about the body
    return [...item, ...quaternion(i, frame), ...half, around, cut];
  }

  /* Faces of a cuboid as polygons with their normals, in the body's frame. */
  function polygons({ half, cut }) {
    const signs = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [0, 1, 2].map((k) => ((n >> k) & 1 ? 1 : -1)));
    const corners = signs.map((s) => [0, 1, 2].map((i) => s.map((sign, k) => sign * (half[k] - (k === i ? cut : 0)))));
    const list = [];
    for (const axis of [0, 1, 2]) for (const sign of [-1, 1]) {
      const [a, b] = [(axis + 1) % 3, (axis + 2) % 3], normal = [0, 0, 0];
      normal[axis] = sign;
      const points = corners.flat().filter((p) => Math.abs(p[axis] - sign * half[axis]) < 1e-6);
      points.sort((p, q) => Math.atan2(p[a], p[b]) - Math.atan2(q[a], q[b]));
      list.push({ normal, points });
    }
    if (cut) signs.forEach((s, n) => list.push({ normal: s.map((sign) => sign / Math.sqrt(3)), points: corners[n] }));
    return list;
  }

  // ---- painter 1 ------------------------------------------------------------------------------------------
  const SIZES = [4, 4, 4, 4, 1]; // of the attributes of an item
  const VERTEX = `#version 300 es
    layout(location=0) in vec2 corner; layout(location=1) in vec4 sphere; layout(location=2) in vec4 paint;
    layout(location=3) in vec4 turn; layout(location=4) in vec4 box; layout(location=5) in float chop;
    uniform mat4 projection; uniform mat3 view; uniform bool parallel;
    out vec3 at; flat out vec4 ball; flat out vec4 colour; flat out vec4 body; flat out float cut; flat out mat3 axes;
    void main() {
      vec3 toward = parallel ? vec3(0, 0, 1) : normalize(-sphere.xyz);
      float d = length(sphere.xyz);
      float reach = parallel ? sphere.w : sphere.w * d / sqrt(max(d * d - sphere.w * sphere.w, 1e-4 * d * d));
      vec3 right = normalize(cross(vec3(0, 1, 0), toward));
      at = sphere.xyz + 1.06 * reach * (corner.x * right + corner.y * cross(toward, right));
      ball = sphere; colour = paint; body = box; cut = chop;
      vec3 t = 2.0 * turn.xyz, s = turn.xyz * t;
      vec3 m = turn.xyz * t.yzx, w = turn.w * t; // xy yz zx and w times x y z, all twice
      axes = view * mat3(1.0 - s.y - s.z, m.x + w.z, m.z - w.y,
                         m.x - w.z, 1.0 - s.z - s.x, m.y + w.x,
                         m.z + w.y, m.y - w.x, 1.0 - s.x - s.y);
      gl_Position = projection * vec4(at, 1);
    }`;
  /* Goes between the declarations of the sphere's fragment shader and its `main`. */
  const DECLARATIONS = `
    flat in vec4 body; flat in float cut; flat in mat3 axes;
    vec3 edge; float chop; // half edges and cut of the cuboid that is traced
    /* The point of the cuboid that is nearest to p outside it. Where it is on a cut corner, the distances u of it
       from the three faces have the sum \`chop\`: a projection onto a simplex. */
    vec3 nearest(vec3 p) {
      vec3 away = edge - abs(p), u = max(away, 0.0);
      if (chop > 0.0 && u.x + u.y + u.z < chop) {
        float level = (away.x + away.y + away.z - chop) / 3.0;
        for (int n = 0; n < 2; n++) {
          vec3 on = step(level, away);
          level = (dot(on, away) - chop) / max(on.x + on.y + on.z, 1.0);
        }
        u = max(away - level, 0.0);
      }
      return sign(p) * (edge - u);
    }`;
  /* Sets \`hit\`, \`normal\` and \`cover\` of a body. The distance is a convex function along the ray, so Newton's
     steps from outside never go past the surface; where there is none, the least distance says how near it is. */
  const TRACE = `
      if (body.x > 0.0) {
        vec3 o = (origin + along * ray - ball.xyz) * axes, v = ray * axes;
        v = mix(v, vec3(1e-6), lessThan(abs(v), vec3(1e-6)));
        // Half a dot smaller, as dots up to one dot outside are covered in part.
        float rounding = max(body.w - 0.5 * across, 0.0);
        edge = max(body.xyz - (0.5 * across - body.w + rounding), 1e-3);
        chop = min(cut, min(edge.x, min(edge.y, edge.z)));
        vec3 enter = -o / v - (edge + rounding + across) / abs(v), leave = -o / v + (edge + rounding + across) / abs(v);
        float t = max(max(enter.x, enter.y), enter.z), end = min(min(leave.x, leave.y), leave.z);
        vec3 face = -sign(v) * step(enter.yzx, enter) * step(enter.zxy, enter);
        if (chop > 0.0) for (int n = 0; n < 4; n++) {
          vec3 tilt = vec3(1, n < 2 ? 1 : -1, n % 2 == 0 ? 1 : -1) * 0.57735027;
          float wide = (edge.x + edge.y + edge.z - chop) * 0.57735027 + rounding + across;
          float speed = dot(tilt, v), middle = dot(tilt, o);
          if (abs(speed) < 1e-6) speed = 1e-6;
          float into = -middle / speed - wide / abs(speed);
          if (into > t) { t = into; face = -sign(speed) * tilt; }
          end = min(end, -middle / speed + wide / abs(speed));
        }
        if (t > end) discard;
        float before = t, gap = 0.0;
        bool missed = false;
        for (int n = 0; n < 14; n++) {
          vec3 p = o + t * v, off = p - nearest(p);
          float far = length(off);
          gap = far - rounding;
          if (far > 1e-4) normal = off / far;
          if (gap < 0.05 * across) break;
          float slope = dot(normal, v);
          if (slope > -1e-3 || t > end) { missed = true; break; }
          before = t;
          t -= gap / slope;
        }
        if (missed) {
          t = min(t, end);
          for (int n = 0; n < 8; n++) {
            float middle = 0.5 * (before + t);
            vec3 p = o + middle * v;
            if (dot(p - nearest(p), v) < 0.0) before = middle; else t = middle;
          }
          vec3 p = o + t * v, off = p - nearest(p);
          gap = length(off) - rounding;
          normal = normalize(off);
        }
        if (rounding < across) normal = face; // no pixel in the shade of an edge that is thinner
        cover = clamp(1.0 - gap / across, 0.0, 1.0);
        if (cover <= 0.0) discard;
        hit = origin + (along + t) * ray;
        normal = axes * normal;
      }`;

  // ---- painter 2 ------------------------------------------------------------------------------------------
  /* Paints the body at items[k...] onto a plain canvas: its rounded outline, then the flat parts of its faces. */
  function paint(ctx, cam, items, k, toned) {
    const [qx, qy, qz, qw] = items.subarray(k + 8, k + 12), around = items[k + 15];
    const rotated = ([x, y, z]) => { // v + 2 q × (q × v + w v)
      const [a, b, c] = [qy * z - qz * y + qw * x, qz * x - qx * z + qw * y, qx * y - qy * x + qw * z];
      return [x + 2 * (qy * c - qz * b), y + 2 * (qz * a - qx * c), z + 2 * (qx * b - qy * a)];
    };
    const seen = (p) => [cam.right, cam.up, cam.toward].map((axis) => axis[0] * p[0] + axis[1] * p[1] + axis[2] * p[2]);
    const centre = [items[k], items[k + 1], items[k + 2]];
    const place = (p) => seen(rotated(p)).map((v, n) => v + centre[n]);
    const shape = record.shapes.findIndex(({ half, cut }) =>
      half.every((v, n) => Math.abs(v - items[k + 12 + n]) < 1e-4) && Math.abs(cut - items[k + 16]) < 1e-4);
    const spots = [], shown = [];
    for (const { normal, points } of faces[shape]) {
      const n = seen(rotated(normal)), placed = points.map(place);
      placed.forEach((p) => spots.push([...cam.toScreen(p), around * cam.scaleAt(p[2])]));
      const middle = placed[0].map((v, i) => v + around * n[i]);
      const facing = cam.ortho ? n[2] : -(n[0] * middle[0] + n[1] * middle[1] + n[2] * middle[2]);
      if (facing > 0) shown.push([n, placed.map((p) => cam.toScreen(p.map((v, i) => v + around * n[i])))]);
    }
    ctx.globalAlpha = items[k + 7] < 1 ? 0.6 * items[k + 7] : 1;
    ctx.fillStyle = toned(0.62);
    outline(ctx, hull(spots));
    ctx.fill();
    for (const [n, points] of shown) {
      const diffuse = Math.pow(0.5 + (0.5 * (-0.45 * n[0] + 0.65 * n[1] + 0.7 * n[2])) / Math.hypot(0.45, 0.65, 0.7), 1.4);
      ctx.fillStyle = toned(0.36 + 0.8 * diffuse);
      ctx.beginPath();
      points.forEach((p) => ctx.lineTo(...p));
      ctx.closePath();
      ctx.fill();
    }
  }
  /* Convex hull of points in a plane, counter-clockwise where y points down the screen (Andrew's monotone chain). */
  function hull(spots) {
    const sorted = [...spots].sort((p, q) => p[0] - q[0] || p[1] - q[1]);
    const half = (list) => {
      const chain = [];
      for (const p of list) {
        while (chain.length > 1) {
          const [a, b] = chain.slice(-2);
          if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 1e-9) break;
          chain.pop();
        }
        chain.push(p);
      }
      return chain.slice(0, -1);
    };
    return [...half(sorted), ...half(sorted.reverse())];
  }
  /* Path round a hull whose corners are discs. */
  function outline(ctx, corners) {
    const L = corners.length;
    const angle = (i) => {
      const [p, q] = [corners[(i + L) % L], corners[(i + 1) % L]];
      return Math.atan2(q[1] - p[1], q[0] - p[0]) - Math.PI / 2;
    };
    ctx.beginPath();
    corners.forEach(([x, y, radius], i) => ctx.arc(x, y, radius, angle(i - 1), angle(i)));
    ctx.closePath();
  }

  return { STRIDE, SIZES, VERTEX, DECLARATIONS, TRACE, quaternion, extend, paint, polygons };
}
