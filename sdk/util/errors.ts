/**
 * The one error family of the SDK. `code` is stable and documented; the message says what was wrong with which value,
 * the hint what to do next. Everything else that is thrown is a bug.
 */
export type ErrorCode =
  | 'EW1001_USAGE'
  | 'EW1002_FILE_NOT_FOUND'
  | 'EW1003_WRITE_FAILED'
  | 'EW1004_INTERRUPTED'
  | 'EW1005_CONFIG_INVALID'
  | 'EW1006_STATE_IN_USE'
  | 'EW1011_QUERY_INVALID'
  | 'EW1012_ROLLOUT_INVALID'
  | 'EW2001_PROFILE_INVALID'
  | 'EW2002_TARGET_UNKNOWN'
  | 'EW2003_DOES_NOT_FIT'
  | 'EW2101_REQUEST_INVALID'
  | 'EW2102_NOT_FOUND'
  | 'EW3001_MODEL_UNREADABLE'
  | 'EW3002_MODEL_INVALID'
  | 'EW3003_DIM_UNBOUND'
  | 'EW3004_WEIGHTS_NOT_FINITE'
  | 'EW3102_OP_UNSUPPORTED'
  | 'EW3103_OP_INVALID'
  | 'EW3201_DATA_UNREADABLE'
  | 'EW3202_DATA_INVALID'
  | 'EW4001_QUALITY_NOT_MET'
  | 'EW4002_BUDGET_NOT_MET'
  | 'EW5001_TOOL_MISSING'
  | 'EW5002_COMPILER_FAILED'
  | 'EW5003_ENGINE_UNAVAILABLE'
  | 'EW5004_AGENT_UNREACHABLE'
  | 'EW5005_ENROLMENT_FAILED'
  | 'EW5201_DATABASE_UNAVAILABLE'
  | 'EW5202_FOLDER_IN_USE'
  | 'EW5203_ADDRESS_IN_USE'
  | 'EW5204_DATABASE_NEWER'
  | 'EW5205_CONTROLLER_UNREACHABLE'
  | 'EW6001_BUNDLE_UNREADABLE'
  | 'EW6002_BUNDLE_TAMPERED'
  | 'EW6003_BUNDLE_VERSION'
  | 'EW6004_SELF_TEST_FAILED'
  | 'EW6005_BUNDLE_INCOMPLETE'
  | 'EW6006_MESSAGE_INVALID'
  | 'EW6007_MESSAGE_VERSION'
  | 'EW6008_DELTA_INVALID'
  | 'EW6009_DELTA_BASE'
  | 'EW6010_CHUNK_INVALID'
  | 'EW6201_TOKEN_REFUSED'
  | 'EW6202_NOT_ALLOWED'
  | 'EW6203_AUDIT_BROKEN'
  | 'EW7001_STORE_DAMAGED'
  | 'EW7002_PIECE_REFUSED'
  | 'EW7003_NO_SPACE'
  | 'EW7004_UPDATE_REFUSED'
  | 'EW7005_GATE_FAILED'
  | 'EW7006_METADATA_REFUSED'
  | 'EW7101_NOT_CONNECTED'
  | 'EW7102_LINK_FULL'
  | 'EW7103_LINK_REFUSED'
  | 'EW7104_SOURCE_FAILED'
  | 'EW7105_BYTE_BUDGET'
  | 'EW7301_ROLLOUT_STATE'
  | 'EW7302_ROLLOUT_STOPPED'
  | 'EW8101_KEY_UNUSABLE'
  | 'EW8102_SIGNATURES_MISSING'
  | 'EW8103_ROLES_INVALID'
  | 'EW8104_METADATA_IN_USE'
  | 'EW8105_TARGETS_REFUSED'
  | 'EW8106_TARGETS_OUTDATED';

/** Process exit codes (CLI): see README, "Exit codes". */
const EXIT_BY_GROUP: Record<string, number> = { '1': 2, '2': 2, '3': 3, '4': 4, '5': 5, '6': 6, '7': 7, '8': 8 };

export interface ErrorExtra {
  /** What to do next, one sentence. */
  hint?: string;
  /** Machine-readable facts (names, limits, values). */
  details?: Record<string, unknown>;
  cause?: unknown;
}

export class EigenError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, extra: ErrorExtra = {}) {
    super(message, { cause: extra.cause });
    this.name = 'EigenError';
    this.code = code;
    this.hint = extra.hint;
    this.details = extra.details ?? {};
  }

  /** The process exit code that belongs to this error: the first digit of the code names the group. */
  get exitCode(): number {
    if (this.code === 'EW1004_INTERRUPTED') return 130;
    if (this.code === 'EW2003_DOES_NOT_FIT') return 4;
    return EXIT_BY_GROUP[this.code.charAt(2)] ?? 1;
  }
}

export function isEigenError(e: unknown): e is EigenError {
  return e instanceof EigenError;
}
