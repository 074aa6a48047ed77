/**
 * The networks that boards are published with, as lists of layers: what calibrates the cost model. Shapes are from the
 * papers (MobileNet 1704.04861, MobileNetV2 1801.04381, MobileNetV3 large 1905.02244, ShuffleNetV2 1807.11164,
 * EfficientNet 1905.11946, ResNet 1512.03385, SqueezeNet 1.1
 * 1602.07360, VGG 1409.1556), batch 1, 1000 classes.
 */
export interface ReferenceLayer {
  readonly kind: 'conv' | 'linear' | 'map' | 'pool';
  readonly macs: number;
  /** Elements read and written, activations and weights, each once. */
  readonly elements: number;
  /** Elements of input and output of a 3x3 convolution of stride 1, which the published float runtimes transform (Winograd); else 0. */
  readonly winograd: number;
}

interface Conv {
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly depthwise?: boolean;
}

class Layers {
  readonly all: ReferenceLayer[] = [];

  /** Adds a convolution with "same" padding and returns the size of its output. */
  conv({ size, from, to, kernel, stride = 1, depthwise = false }: Conv): number {
    const out = Math.ceil(size / stride);
    const weights = to * (depthwise ? 1 : from) * kernel * kernel;
    const elements = size * size * from + out * out * to + weights;
    const winograd = kernel === 3 && stride === 1 && !depthwise;
    const ends = elements - weights;
    this.all.push({ kind: 'conv', macs: out * out * weights, elements, winograd: winograd ? ends : 0 });
    return out;
  }

  linear(from: number, to: number): void {
    this.all.push({ kind: 'linear', macs: from * to, elements: from * to + from + to, winograd: 0 });
  }

  /** Channels scaled by what two small layers make of their means. */
  squeezeExcite(size: number, channels: number, narrow: number): void {
    this.move('pool', size * size * channels);
    this.linear(channels, narrow);
    this.linear(narrow, channels);
    this.move('map', 2 * size * size * channels);
  }

  /** Elementwise work or pooling that moves this many elements. */
  move(kind: 'map' | 'pool', elements: number): void {
    this.all.push({ kind, macs: 0, elements, winograd: 0 });
  }
}

function mobilenetV1(): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 224, from: 3, to: 32, kernel: 3, stride: 2 });
  let c = 32;
  const same = Array.from({ length: 5 }, () => [512, 1]);
  for (const [to, stride] of [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    ...same,
    [1024, 2],
    [1024, 1],
  ]) {
    size = net.conv({ size, from: c, to: c, kernel: 3, stride, depthwise: true });
    net.conv({ size, from: c, to: to!, kernel: 1 });
    c = to!;
  }
  return head(net, size, c);
}

/** Rows: expansion, channels, repeats, stride, kernel. */
function invertedResiduals(rows: readonly (readonly number[])[], squeezeExcite: boolean): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 224, from: 3, to: 32, kernel: 3, stride: 2 });
  let c = 32;
  for (const [expansion, to, repeats, firstStride, kernel] of rows) {
    for (let i = 0; i < repeats!; i++) {
      const stride = i === 0 ? firstStride! : 1;
      const wide = c * expansion!;
      if (expansion! > 1) net.conv({ size, from: c, to: wide, kernel: 1 });
      const out = net.conv({ size, from: wide, to: wide, kernel: kernel!, stride, depthwise: true });
      if (squeezeExcite) net.squeezeExcite(out, wide, c / 4);
      net.conv({ size: out, from: wide, to: to!, kernel: 1 });
      if (stride === 1 && c === to) net.move('map', 3 * out * out * c);
      size = out;
      c = to!;
    }
  }
  net.conv({ size, from: c, to: 1280, kernel: 1 });
  return head(net, size, 1280);
}

/** Rows: kernel, expanded channels, channels, stride, 1 with squeeze and excite. */
function mobilenetV3(rows: readonly (readonly number[])[]): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 224, from: 3, to: 16, kernel: 3, stride: 2 });
  let c = 16;
  for (const [kernel, wide, to, stride, squeezeExcite] of rows as readonly [number, number, number, number, number][]) {
    if (wide !== c) net.conv({ size, from: c, to: wide, kernel: 1 });
    const out = net.conv({ size, from: wide, to: wide, kernel, stride, depthwise: true });
    if (squeezeExcite === 1) net.squeezeExcite(out, wide, wide / 4);
    net.conv({ size: out, from: wide, to, kernel: 1 });
    if (stride === 1 && c === to) net.move('map', 3 * out * out * c);
    size = out;
    c = to;
  }
  net.conv({ size, from: c, to: 960, kernel: 1 });
  net.move('pool', size * size * 960);
  net.linear(960, 1280);
  net.linear(1280, 1000);
  return net.all;
}

/** Rows: channels, units. Half of the channels pass a unit of stride 1 untouched; both halves are shuffled after each unit. */
function shufflenetV2(rows: readonly (readonly number[])[]): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 224, from: 3, to: 24, kernel: 3, stride: 2 });
  net.move('pool', size * size * 24 * 1.25);
  size /= 2;
  let c = 24;
  for (const [to, units] of rows as readonly [number, number][]) {
    const half = to / 2;
    for (let i = 0; i < units; i++) {
      const stride = i === 0 ? 2 : 1;
      const from = i === 0 ? c : half;
      if (i === 0) {
        const out = net.conv({ size, from, to: from, kernel: 3, stride, depthwise: true });
        net.conv({ size: out, from, to: half, kernel: 1 });
      }
      net.conv({ size, from, to: half, kernel: 1 });
      const out = net.conv({ size, from: half, to: half, kernel: 3, stride, depthwise: true });
      net.conv({ size: out, from: half, to: half, kernel: 1 });
      net.move('map', 2 * out * out * to);
      size = out;
    }
    c = to;
  }
  net.conv({ size, from: c, to: 1024, kernel: 1 });
  return head(net, size, 1024);
}

function resnet(repeats: readonly number[], bottleneck: boolean): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 224, from: 3, to: 64, kernel: 7, stride: 2 });
  net.move('pool', size * size * 64 * 1.25);
  size /= 2;
  let c = 64;
  repeats.forEach((n, stage) => {
    const width = 64 << stage;
    const to = bottleneck ? 4 * width : width;
    for (let i = 0; i < n; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      if (bottleneck) net.conv({ size, from: c, to: width, kernel: 1 });
      const out = net.conv({ size, from: bottleneck ? width : c, to: width, kernel: 3, stride });
      net.conv({ size: out, from: width, to, kernel: bottleneck ? 1 : 3 });
      if (c !== to || stride > 1) net.conv({ size, from: c, to, kernel: 1, stride });
      net.move('map', 3 * out * out * to);
      size = out;
      c = to;
    }
  });
  return head(net, size, c);
}

function vgg16(): ReferenceLayer[] {
  const net = new Layers();
  let size = 224;
  let c = 3;
  for (const [to, repeats] of [
    [64, 2],
    [128, 2],
    [256, 3],
    [512, 3],
    [512, 3],
  ]) {
    for (let i = 0; i < repeats!; i++) {
      net.conv({ size, from: c, to: to!, kernel: 3 });
      c = to!;
    }
    net.move('pool', size * size * c * 1.25);
    size /= 2;
  }
  net.linear(size * size * c, 4096);
  net.linear(4096, 4096);
  net.linear(4096, 1000);
  return net.all;
}

function squeezenet(): ReferenceLayer[] {
  const net = new Layers();
  let size = net.conv({ size: 226, from: 3, to: 64, kernel: 3, stride: 2 });
  let c = 64;
  const fires = [
    ['pool'],
    [16, 64],
    [16, 64],
    ['pool'],
    [32, 128],
    [32, 128],
    ['pool'],
    [48, 192],
    [48, 192],
    [64, 256],
    [64, 256],
  ];
  for (const [squeeze, expand] of fires) {
    if (typeof squeeze === 'string') {
      net.move('pool', size * size * c * 1.25);
      size = Math.floor(size / 2);
      continue;
    }
    net.conv({ size, from: c, to: squeeze!, kernel: 1 });
    net.conv({ size, from: squeeze!, to: expand as number, kernel: 1 });
    net.conv({ size, from: squeeze!, to: expand as number, kernel: 3 });
    c = 2 * (expand as number);
    net.move('map', 2 * size * size * c);
  }
  net.conv({ size, from: c, to: 1000, kernel: 1 });
  net.move('pool', size * size * 1000);
  return net.all;
}

function head(net: Layers, size: number, channels: number): ReferenceLayer[] {
  net.move('pool', size * size * channels);
  net.linear(channels, 1000);
  return net.all;
}

const V2 = [
  [1, 16, 1, 1, 3],
  [6, 24, 2, 2, 3],
  [6, 32, 3, 2, 3],
  [6, 64, 4, 2, 3],
  [6, 96, 3, 1, 3],
  [6, 160, 3, 2, 3],
  [6, 320, 1, 1, 3],
];
const B0 = [
  [1, 16, 1, 1, 3],
  [6, 24, 2, 2, 3],
  [6, 40, 2, 2, 5],
  [6, 80, 3, 2, 3],
  [6, 112, 3, 1, 5],
  [6, 192, 4, 2, 5],
  [6, 320, 1, 1, 3],
];

const V3_LARGE = [
  [3, 16, 16, 1, 0],
  [3, 64, 24, 2, 0],
  [3, 72, 24, 1, 0],
  [5, 72, 40, 2, 1],
  [5, 120, 40, 1, 1],
  [5, 120, 40, 1, 1],
  [3, 240, 80, 2, 0],
  [3, 200, 80, 1, 0],
  [3, 184, 80, 1, 0],
  [3, 184, 80, 1, 0],
  [3, 480, 112, 1, 1],
  [3, 672, 112, 1, 1],
  [5, 672, 160, 2, 1],
  [5, 960, 160, 1, 1],
  [5, 960, 160, 1, 1],
];
const SHUFFLE = [
  [116, 4],
  [232, 8],
  [464, 4],
];

/** By the name that profiles use in `latencies[].ms`. */
export const REFERENCE_NETWORKS: Readonly<Record<string, readonly ReferenceLayer[]>> = {
  mobilenet_v1: mobilenetV1(),
  mobilenet_v2: invertedResiduals(V2, false),
  mobilenet_v3: mobilenetV3(V3_LARGE),
  shufflenet_v2: shufflenetV2(SHUFFLE),
  efficientnet_b0: invertedResiduals(B0, true),
  resnet18: resnet([2, 2, 2, 2], false),
  resnet50: resnet([3, 4, 6, 3], true),
  vgg16: vgg16(),
  squeezenet: squeezenet(),
};
