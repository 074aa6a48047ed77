import { type Bundle, readBundle, reportOf } from '../bundle/index.ts';
import type { CompressionReport } from '../compress/index.ts';
import type { Graph } from '../ir/graph.ts';
import { type ExportedModel, exportOnnx, type MatmulForm, type WeightForm } from '../model/onnx/export/index.ts';
import { writeAtomic } from '../util/files.ts';
import { packageVersion } from '../util/package.ts';
import { byteLength } from '../util/tensor.ts';
import { graphOfBundle } from './bundle-graph.ts';

export interface ExportRequest {
  /** Bits of weight codes: four where every code of a layer fits and else eight (auto, default), four or refuse, always eight. */
  readonly weights?: WeightForm;
  /** Products and tables: standard operators (qdq, default) or the packed ones of com.microsoft (nbits). */
  readonly matmul?: MatmulForm;
  /** Where to write the model; absent: make it, write nothing. */
  readonly out?: string;
}

export interface ExportReport extends Omit<ExportedModel, 'bytes'> {
  readonly model: string;
  readonly precision: string;
  /** Size of the ONNX file. */
  readonly bytes: number;
  /** fp32 bytes of the original's weights. */
  readonly originalBytes: number;
}

/**
 * Bundle file -> ONNX file that computes what the bundle computes, to within floating point. Throws EW5003 when the bundle holds no graph,
 * EW3102 for an operator that has no form in ONNX, EW1001 when `weights: 'int4'` cannot be kept.
 */
export async function exportBundle(path: string, request: ExportRequest = {}): Promise<ExportReport> {
  const bundle = await readBundle(path);
  const graph = graphOfBundle(bundle);
  const { weights, matmul } = request;
  const report = reportOf(bundle) as unknown as CompressionReport | undefined;
  const { bytes, ...written } = exportOnnx(graph, {
    ...(weights ? { weights } : {}),
    ...(matmul ? { matmul } : {}),
    producerVersion: packageVersion(),
    metadata: metadataOf(bundle, report),
  });
  if (request.out !== undefined) await writeAtomic(request.out, bytes);
  return {
    ...written,
    model: graph.name,
    precision: bundle.manifest.precision,
    bytes: bytes.length,
    originalBytes: report?.totals.originalBytes ?? floatBytes(graph),
  };
}

/** Where the model comes from: what a reader of the file alone would not know. */
function metadataOf({ manifest, digest }: Bundle, report: CompressionReport | undefined): Record<string, string> {
  return {
    'eigenweights.source': manifest.model.name,
    'eigenweights.source_sha256': manifest.model.sha256,
    'eigenweights.bundle_sha256': digest,
    'eigenweights.precision': manifest.precision,
    ...(report ? { 'eigenweights.wire_ratio': report.totals.ratio.toFixed(3) } : {}),
  };
}

function floatBytes(graph: Graph): number {
  const floats = [...graph.values.values()].filter((v) => v.data && v.type.dtype === 'f32');
  return floats.reduce((sum, v) => sum + byteLength(v.type), 0);
}
