import type { ErrorCode } from '../util/errors.ts';

export interface Explanation {
  /** What the code means, one sentence. */
  readonly meaning: string;
  /** What usually causes it. */
  readonly causes: string;
  /** What to do. */
  readonly remedy: string;
}

/** A text for every error code; the type makes a missing one a compile error. */
export const EXPLANATIONS: Readonly<Record<ErrorCode, Explanation>> = {
  EW1001_USAGE: {
    meaning: 'The command line was not understood.',
    causes: 'A misspelt command or flag, a missing value, or a value of the wrong form.',
    remedy: 'Read the hint, or the help of the command: eigenweights COMMAND --help.',
  },
  EW1002_FILE_NOT_FOUND: {
    meaning: 'A file that was named does not exist or may not be read.',
    causes: 'A typo in the path, another working folder than expected, or missing permissions.',
    remedy: 'Check the path in the message; -C DIR changes the folder that relative paths start from.',
  },
  EW1003_WRITE_FAILED: {
    meaning: 'The output could not be written. Nothing half-written was left under its final name.',
    causes: 'A full disk, a folder that does not exist, or missing permissions.',
    remedy: 'Free space or choose another place with -o, then run the command again.',
  },
  EW1004_INTERRUPTED: {
    meaning: 'The work was stopped by Ctrl-C, a signal or --timeout.',
    causes: 'You, or a time limit that was too short.',
    remedy: 'Run it again; outputs are written only when complete, so nothing has to be cleaned up.',
  },
  EW1005_CONFIG_INVALID: {
    meaning: 'A configuration file is not as it has to be.',
    causes: 'A field that is missing, misspelled or of a wrong form; the message names it.',
    remedy: 'Correct the field; the README lists all of them.',
  },
  EW1006_STATE_IN_USE: {
    meaning: 'Another agent works on the state folder.',
    causes: 'An agent that is started by the system already, or two configurations with one folder.',
    remedy: 'Stop the other one, or give each a state folder of its own.',
  },
  EW1011_QUERY_INVALID: {
    meaning: 'A question about devices cannot be read.',
    causes: 'A fact that there is not, a comparison that its kind has not, or a text without its quotes.',
    remedy: "The message shows the place. Write it as in: board ~ 'raspberry-pi-*' and tag.site = berlin and online",
  },
  EW1012_ROLLOUT_INVALID: {
    meaning: 'The description of a rollout does not make sense.',
    causes: 'A field with a wrong value, waves that do not reach everybody, or a gate that no wave could pass.',
    remedy: 'The message names the field; `eigenweights rollout plan` shows what a description comes to.',
  },
  EW2001_PROFILE_INVALID: {
    meaning: 'A board profile does not follow the profile schema.',
    causes: 'A hand-written profile with a missing, misspelt or wrongly typed field.',
    remedy: 'The message holds the path of the wrong field; profiles/schema.json in the package describes all of them.',
  },
  EW2002_TARGET_UNKNOWN: {
    meaning: 'There is no board with this id.',
    causes: 'A typo, or a board that this version has no profile for.',
    remedy: 'eigenweights targets lists the ids; --target also takes the path of a profile file of your own.',
  },
  EW2003_DOES_NOT_FIT: {
    meaning: 'The model does not fit the board.',
    causes:
      'It needs more flash, more memory or more time than the profile offers; the message says which, by how much and where.',
    remedy: 'Compress to a smaller budget, choose a larger board, or reduce the input size with --dim.',
  },
  EW2101_REQUEST_INVALID: {
    meaning: 'A request to the controller is not as its API has it.',
    causes: 'A field that is missing, misspelt or out of range; the message names it.',
    remedy: 'See the document at /v1/openapi.json of the controller.',
  },
  EW2102_NOT_FOUND: {
    meaning: 'The controller has nothing of that name.',
    causes: 'A wrong address, or something that was removed.',
    remedy: 'List what there is first.',
  },
  EW3001_MODEL_UNREADABLE: {
    meaning: 'The model file could not be read.',
    causes:
      'A truncated download, a file of another format, or a file of weights beside the model that is missing or too short.',
    remedy:
      'Export or download the model again; keep files of weights beside it (external data of ONNX, shards of TensorFlow.js). Models of other tools (TensorFlow Lite, Keras, PyTorch) become ONNX first: the message has the command.',
  },
  EW3002_MODEL_INVALID: {
    meaning: 'The file was read, but the graph in it is not a valid model.',
    causes:
      'A cycle, a value that no node produces, a layer without its weights, a type or shape that contradicts itself.',
    remedy: 'Check the model with its exporter (for ONNX: onnx.checker), then export again.',
  },
  EW3003_DIM_UNBOUND: {
    meaning: 'A dimension of an input has no fixed size.',
    causes: 'A model exported with dynamic axes. Kernels are specialised to shapes, so every size must be known.',
    remedy: 'Bind it: --dim NAME=SIZE, once for each name in the message. The batch defaults to 1.',
  },
  EW3004_WEIGHTS_NOT_FINITE: {
    meaning: 'A weight is NaN or infinite.',
    causes: 'Training that diverged, or a damaged file.',
    remedy: 'Look at the weight named in the message and export a sound checkpoint.',
  },
  EW3102_OP_UNSUPPORTED: {
    meaning: 'The model uses operators or layers that this version does not support. All of them are listed.',
    causes: 'An operator outside the supported set, or one from a custom domain.',
    remedy:
      'Export with other layers or a simpler opset, or add the operator: one file in sdk/ir/ops (ARCHITECTURE.md). A detector: export it without the post-processing that selects boxes.',
  },
  EW3103_OP_INVALID: {
    meaning: 'An operator is known, but not in the form the model uses it.',
    causes: 'Attributes or shapes outside what the operator defines, or a shape that depends on data.',
    remedy:
      'The message names the node and the reason; simplify the model (for ONNX: onnxsim) or bind dimensions with --dim.',
  },
  EW3201_DATA_UNREADABLE: {
    meaning: 'A data file (.npy or .npz) could not be read.',
    causes: 'A truncated file, or an element type other than numbers and booleans (text, objects, complex numbers).',
    remedy: 'Write it again with numpy.savez or numpy.savez_compressed.',
  },
  EW3202_DATA_INVALID: {
    meaning: 'A data file does not fit the model.',
    causes:
      'An array with a wrong name or shape, values that do not fit the type of the input, NaNs, zero samples, or labels that are missing.',
    remedy:
      'Give one array per model input, by its name, the first axis being the samples; eigenweights inspect MODEL prints the inputs.',
  },
  EW4001_QUALITY_NOT_MET: {
    meaning: 'The compressed model does not keep the quality that was asked for.',
    causes: 'The budget is too small for this model, or the calibration data does not look like the evaluation data.',
    remedy:
      'Give more calibration samples, raise --budget, or lower --min-quality; the report holds the best quality at this size.',
  },
  EW4002_BUDGET_NOT_MET: {
    meaning: 'No plan meets the size, memory or time that was asked for.',
    causes:
      'A limit below what the smallest weights, the activations or the arithmetic of the model need; details.binds names it.',
    remedy: 'Raise the limit in the message to that of the nearest plan, or look at eigenweights frontier first.',
  },
  EW5001_TOOL_MISSING: {
    meaning: 'A program that this step needs is not installed.',
    causes: 'A cross compiler, emulator or runtime that is optional and absent.',
    remedy: 'eigenweights doctor says what is missing and how to install it.',
  },
  EW5002_COMPILER_FAILED: {
    meaning: 'The C compiler refused generated code. This is a bug in EigenWeights.',
    causes: 'A kernel for an unusual shape, or a broken compiler installation.',
    remedy: 'Report it with the output of eigenweights doctor and the message.',
  },
  EW5003_ENGINE_UNAVAILABLE: {
    meaning: 'The engine that was asked for cannot run here.',
    causes: 'A machine without the instructions or features it needs, or a bundle without kernels for it.',
    remedy: 'Leave --engine out to take the best one that works, or compile the bundle for this machine.',
  },
  EW5004_AGENT_UNREACHABLE: {
    meaning: 'An application cannot reach the agent of its device.',
    causes:
      'The agent does not run or just starts again, the path of the socket is another one, or the application may not connect to it.',
    remedy: 'Look at the state of the service and the mode of the socket; the application has to be in its group.',
  },
  EW5005_ENROLMENT_FAILED: {
    meaning: 'A device could not exchange its token for credentials.',
    causes:
      'A token that was used or is over, a controller that cannot be reached, or a certificate of it that is not trusted.',
    remedy: 'The message has the reason; make a new token with eigenweights enrol and try again.',
  },
  EW5201_DATABASE_UNAVAILABLE: {
    meaning: 'The database of the controller cannot be opened or does not answer.',
    causes: 'A PostgreSQL server that is not running or refuses the login, or a damaged or read-only data folder.',
    remedy: 'The message has the reason; look at the address, the login and the folder, then start again.',
  },
  EW5202_FOLDER_IN_USE: {
    meaning: 'Another controller works on this data folder.',
    causes: 'serve was started twice for one folder.',
    remedy:
      'Stop the other one, or give this one a folder of its own; controllers share a PostgreSQL server, not a folder.',
  },
  EW5203_ADDRESS_IN_USE: {
    meaning: 'The controller cannot listen where it was told to.',
    causes: 'Another program has the port, or the address is not one of this machine.',
    remedy: 'Choose another port; 0 takes a free one.',
  },
  EW5204_DATABASE_NEWER: {
    meaning: 'A later version of the controller has changed the tables of this database.',
    causes: 'A controller was set back to an older version, or two versions share one server.',
    remedy: 'Update this controller.',
  },
  EW5205_CONTROLLER_UNREACHABLE: {
    meaning: 'The controller does not answer.',
    causes: 'It is not running, the address is wrong, or its certificate is not trusted here.',
    remedy: 'Check --url or EIGEN_URL, and that eigenweights serve runs there.',
  },
  EW6001_BUNDLE_UNREADABLE: {
    meaning: 'The bundle could not be read.',
    causes: 'A truncated download or a file that is not a bundle.',
    remedy: 'Copy or build the bundle again.',
  },
  EW6002_BUNDLE_TAMPERED: {
    meaning: 'A part of the bundle does not have the hash that its manifest states.',
    causes: 'Damage on the way, or somebody changed it.',
    remedy: 'Do not use it; fetch it again from where it was built.',
  },
  EW6003_BUNDLE_VERSION: {
    meaning: 'The bundle was written for another version of the format.',
    causes: 'A bundle newer than this program, or one too old to be read.',
    remedy: 'Update eigenweights, or build the bundle again with this version.',
  },
  EW6004_SELF_TEST_FAILED: {
    meaning: 'The engine does not produce the golden outputs stored in the bundle.',
    causes: 'A damaged bundle, a faulty machine, or an engine that computes something wrongly.',
    remedy:
      'Try run --self-test with --engine simd128 and --engine reference: where those are right, the faster kernels are wrong on this machine. Report it with the output of eigenweights doctor.',
  },
  EW6005_BUNDLE_INCOMPLETE: {
    meaning: 'Only the beginning of the bundle is there, and less than what was asked of it needs.',
    causes: 'A transfer that has not ended, or run --quality-at with fewer bytes than a first model takes.',
    remedy: 'Fetch as many bytes as the hint says; to install a bundle all of it is needed.',
  },
  EW6006_MESSAGE_INVALID: {
    meaning: 'A message of the update protocol is not as the protocol has it.',
    causes: 'Damage on the way, a program of another version, or somebody who tries what happens.',
    remedy: 'Nothing was changed by it. Where it comes again, look at who may write to the topic.',
  },
  EW6007_MESSAGE_VERSION: {
    meaning: 'A message is of a version of the update protocol that this side does not know.',
    causes: 'The agent of the device and the controller are of different versions.',
    remedy: 'Update the older of the two.',
  },
  EW6008_DELTA_INVALID: {
    meaning: 'A delta does not lead to the bundle that it is for.',
    causes: 'Damage on the way, or a delta that was made wrongly or by a later version.',
    remedy: 'Fetch the whole bundle; the one that is there was not touched.',
  },
  EW6009_DELTA_BASE: {
    meaning: 'A delta was made for another bundle than the one it was to be applied to.',
    causes: 'The wrong old bundle, or one of the files was swapped for another.',
    remedy: 'Apply it to the bundle whose digest the message names, or fetch the whole new bundle.',
  },
  EW6010_CHUNK_INVALID: {
    meaning: 'A piece of a bundle, or the index that lists the pieces, is not what it is said to be.',
    causes: 'Damage on the way, a source that has another file, or a changed index.',
    remedy: 'Fetch the piece again, or from another source; nothing that fails this check is used.',
  },
  EW6201_TOKEN_REFUSED: {
    meaning: 'A token does not open what it was used for.',
    causes: 'It was mistyped, used before (enrolment tokens work once), revoked, or its time is over.',
    remedy: 'Ask for a new one: eigenweights enrol for a device, an administrator for the API.',
  },
  EW6202_NOT_ALLOWED: {
    meaning: 'The token is valid, and its role may not do this.',
    causes: 'Viewers only look, operators do not approve, approvers only approve.',
    remedy: 'Use a token of the role that the message names.',
  },
  EW6203_AUDIT_BROKEN: {
    meaning: 'The audit log is not what was written.',
    causes: 'Entries were edited, removed or inserted in the database, or the key of the log is another.',
    remedy: 'The message names the first entry; compare with a backup, and find out who can write to the database.',
  },
  EW7001_STORE_DAMAGED: {
    meaning: 'A file in the state folder of a device is missing or is not what its name says.',
    causes: 'Storage that loses or changes bytes, or somebody changed the folder.',
    remedy:
      'The device goes on with a model that is whole and fetches the other again; look at the health of its storage.',
  },
  EW7002_PIECE_REFUSED: {
    meaning: 'A piece of a download does not have the hash that was announced.',
    causes: 'Damage on the way, or a source that holds something else.',
    remedy: 'Only this piece is fetched again; where it happens again and again, check what the source serves.',
  },
  EW7003_NO_SPACE: {
    meaning: 'An update does not fit beside the model that is running.',
    causes: 'A full disk on the device, after everything that may go has gone.',
    remedy: 'Free space on the device or assign a smaller bundle; the device tries again by itself.',
  },
  EW7004_UPDATE_REFUSED: {
    meaning: 'A device will not install what it was assigned.',
    causes: 'It is for another board, older than what is installed, described wrongly, or did not pass before.',
    remedy: 'The message names the reason; assign a bundle for this board under a new release number.',
  },
  EW7005_GATE_FAILED: {
    meaning: 'A bundle did not pass the tests that it has to pass on the device before it is used.',
    causes: 'Wrong outputs on golden or live inputs, or more time or memory than allowed.',
    remedy: 'The model that was running still is. Fix the bundle and assign it under a new release number.',
  },
  EW7006_METADATA_REFUSED: {
    meaning: 'A device does not believe the signed metadata that says what to install.',
    causes:
      'Somebody between it and the controller, a controller that signs with the wrong keys or too late, or a clock that is wrong.',
    remedy:
      'details.attack names what it amounts to; the model that runs still does. eigenweights keys show prints what is signed by whom, and until when.',
  },
  EW7101_NOT_CONNECTED: {
    meaning: 'There is no connection to the broker, or it went before a message was through.',
    causes: 'No network, a wrong address, credentials that are not valid, a broker that is down.',
    remedy: 'It connects again by itself, at growing intervals; check the four where it does not.',
  },
  EW7102_LINK_FULL: {
    meaning: 'More messages were to be sent than the connection takes.',
    causes: 'A program that does not wait for what it sends, or a network that is too slow for it.',
    remedy: 'Wait for what was sent before sending more; nothing is kept for later.',
  },
  EW7103_LINK_REFUSED: {
    meaning: 'The broker does not allow what was asked of it.',
    causes: 'Access rules that do not fit the name of the device, or a limit of message sizes.',
    remedy: "Allow a device the topics of its own name, and messages of 64 KiB; see the broker's log.",
  },
  EW7104_SOURCE_FAILED: {
    meaning: 'Where a device fetches from does not have what is wanted, or does not deliver it.',
    causes: 'A blob that was removed or never published, a server that answers wrongly, endlessly or hardly at all.',
    remedy:
      'What has come is kept, and other sources are tried. Check that the server has the blob that the message names.',
  },
  EW7105_BYTE_BUDGET: {
    meaning: 'A delta failed, and the whole bundle is more than the device may fetch instead.',
    causes: 'A limit of bytes for devices whose network is paid by volume.',
    remedy: 'Make the delta from what the device runs, or raise the limit; what runs goes on running.',
  },
  EW7301_ROLLOUT_STATE: {
    meaning: 'A rollout is not in a state in which this can be done.',
    causes: 'It was not approved yet, has ended, or somebody else was faster.',
    remedy: 'Look at it with `eigenweights rollout watch`.',
  },
  EW7302_ROLLOUT_STOPPED: {
    meaning: 'A rollout was stopped by its own gate.',
    causes: 'Too many devices failed, or what they measured is worse than on the devices that were held back.',
    remedy: 'The message says what was measured. Fix the model and start another rollout.',
  },
  EW8101_KEY_UNUSABLE: {
    meaning: 'A key that is to sign metadata cannot be used.',
    causes: 'A file that is no Ed25519 key in PEM form, or one that others than its owner may read.',
    remedy: 'chmod 600 the file; where others may have read it, revoke the key: eigenweights keys rotate.',
  },
  EW8102_SIGNATURES_MISSING: {
    meaning: 'Fewer keys are at hand than have to sign.',
    causes: 'Keys that are kept elsewhere, as those of the root and of targets should be.',
    remedy: 'Name the files that hold them, or let the others sign one after another: eigenweights keys sign.',
  },
  EW8103_ROLES_INVALID: {
    meaning: 'What was asked for leaves roles, keys and targets that devices would not accept.',
    causes: 'A role with fewer keys than have to sign for it, or a name that is not valid or not known.',
    remedy: 'The message names it; eigenweights keys show prints what there is.',
  },
  EW8104_METADATA_IN_USE: {
    meaning: 'Another process is changing the metadata of the fleet.',
    causes: 'A controller that renews it, or somebody else who signs.',
    remedy: 'Try again; where there is no such process, remove the file lock in the folder metadata.',
  },
  EW8105_TARGETS_REFUSED: {
    meaning: 'A list of bundles that was signed elsewhere is not put online.',
    causes:
      'Too few signatures, or of keys that may not sign for it; bundles or deltas that were not uploaded; paths of others.',
    remedy: 'The message says which; what was valid still is. eigenweights publish uploads before it signs.',
  },
  EW8106_TARGETS_OUTDATED: {
    meaning: 'The list of bundles has changed since it was signed.',
    causes: 'Somebody else has published at the same time.',
    remedy: 'Publish again: it is signed anew, with what the others have listed.',
  },
};
