-- What each table and function is for, kept beside it, so that schema.sql and psql (`\d+`, `\df+`) show it.

comment on table hapax.operation is 'One logical action. The row is its claim: committed before any effect.';
comment on column hapax.operation.key_subject is 'empty where the flow shares its keys over the tenant';
comment on column hapax.operation.request_id is 'of the request that claimed: replays name it as Original-Request';
comment on column hapax.operation.state is 'moved by hapax.move() alone, along hapax.may_move()';
comment on column hapax.operation.fence is 'grows with each take-over; 0: no run has held it';
comment on column hapax.operation.run_id is 'the run that holds it';
comment on column hapax.operation.no_return_at is 'from here on neither a cancel nor the end of patience stops it';
comment on column hapax.operation.deadline is 'of a wait for the caller';
comment on column hapax.operation.ending is 'how it will end once its undos have run';
comment on column hapax.operation.renewable is 'the same key names the next generation';
comment on column hapax.operation.next_look_at is 'when upkeep looks after it next';
comment on column hapax.operation.looks is 'how often upkeep has: its looks become rarer';
comment on column hapax.operation.tombstone_until is 'the key is refused until then, with its answer or without';
comment on column hapax.operation.sweep_at is 'when upkeep looks for what came too late outside; null: nothing to look for';

comment on table hapax.step is
  'One named effect inside an operation. The row is written before the effect and says what is known of it.';
comment on column hapax.step.attempt is 'token of the try that may write the outcome';
comment on column hapax.step.epoch is 'part of the downstream key; grows only when no effect is proven';
comment on column hapax.step.undo_epoch is 'likewise, of the undo''s key';
comment on column hapax.step.no_return is 'once it is sent, neither a cancel nor the end of patience stops the story';
comment on column hapax.step.irreversible is 'once it is sent, nothing is undone any more';
comment on column hapax.step.request is 'exactly what was sent, and will be sent again';

comment on table hapax.arrival is 'Each request that came for an operation, and which layer decided. Written in batches.';
comment on column hapax.arrival.times is 'arrivals beyond the first few of a batch are counted in one row';
comment on table hapax.issued_key is 'A key that POST /v1/keys has issued before the action.';
comment on table hapax.outbox is 'What others are to be told, written in the transaction of the effect.';
comment on column hapax.outbox.writer is 'a relay reads by it, so that a row that commits late with a low number is not skipped';

comment on table hapax.catalogue_item is 'What the shop sells: prices and stock are ours, never the client''s.';
comment on table hapax.customer_order is 'The order of a checkout. It outlives the ledger''s row.';
comment on table hapax.order_line is 'What an order is of, at the price of that moment.';

comment on table hapax.transfer is
  'What became of an upload''s wait for its bytes: whoever inserts first decides. Committed before any signal.';
comment on column hapax.transfer.sha256 is 'computed by us or enforced by S3; null: still to be read';
comment on column hapax.transfer.sniffed_type is 'what the first bytes show, empty where they show nothing; null: still to be read';
comment on table hapax.content is
  'Bytes that are known by their SHA-256 within a scope, and the one object that holds them. Assets refer to it.';
comment on column hapax.content.dedup_scope is 'digest of who may share it';
comment on column hapax.content.collected_by is 'the operation whose undo found it without references, and deletes its objects';
comment on table hapax.asset is 'What the caller of an upload gets: a name and a place for a content. It outlives the ledger''s row.';

comment on table hapax.news_channel is
  'The channel on which settled operations are told. Its name is a secret of those who may read the ledger.';
comment on table hapax.bucket_proof is 'What was seen of each object store when upkeep tried it.';
comment on table hapax.api_key is 'Keys that callers bring, as hashes.';
comment on table hapax.trouble is
  'What an operation''s step has met lately; written only when a try fails. The view says whether it is trouble now.';
comment on view hapax.trouble_now is
  'Operations that make no progress: one failed try is none, and what asks for a person at once is.';
comment on table hapax.resolution is
  'What people have found out about steps in trouble. The step''s next try decides what becomes of a row.';
comment on column hapax.resolution.due_at is 'a try that was under way when it was said has ended by then';
comment on column hapax.resolution.verdict is 'held: confirmed or followed; lapsed: verdict_says tells why; null: waits';

comment on type hapax.settlement is 'How an operation settles: its answer, and for how long each part of it is kept, from now.';
comment on type hapax.entering is 'What a ledger transaction of a run is about to do behind the fence.';
comment on type hapax.effect is 'How a step''s effect is made to happen once: our own rows, an outside system''s key, or by nature.';

comment on function hapax.current_tenant is 'The tenant whose rows this session sees.';
comment on function hapax.may_move is
  'The moves that an operation may make: the list of workflows/operation/state.ts and of ARCHITECTURE.md.';
comment on function hapax.check_move is 'Refuses a move that is not listed, and says why, whoever writes it.';
comment on function hapax.move is
  'The only writer of an operation''s state after the claim, and of whatever belongs to a move. Its callers hold the row''s
lock and have decided. A move to the state that the operation is in writes the rest.';
comment on function hapax.claim is
  'Takes an operation''s name, or gives the row that has it; no row where the name is free and nothing is to be inserted.';
comment on function hapax.open_operation is
  'The first take-over of an operation, in the transaction of its first step.';
comment on function hapax.take_over is
  'A take-over: a run that held the operation before cannot write any more. Gives what the new run has to know; of a
settled operation its state, of a missing one no row.';
comment on function hapax.enter is
  'The fence, with which each ledger transaction of a run begins: locks the operation, and refuses a run that was taken
over, a settled operation, and a new step after a cancel. The last three parameters are a step''s, and null otherwise.';
comment on function hapax.hold is 'Stays for one release, for workers of the build before 0018: calls enter().';
comment on function hapax.expect_patience is 'Whether the step of no return is begun in time, decided under the operation''s lock.';
comment on function hapax.step_done is 'Records a step in the statement of its effect, and gives what that answers with as `done`.';
comment on function hapax.turn_to_compensating is
  'Turns to the undos unless what may have happened stands against it. Gives the ending that counts; null: it stays.';
comment on function hapax.settle is
  'Outcome and answer in one write, and the news to everyone who waits, delivered with the commit. `by` is the step that
ends the story, in whose transaction this is: nothing settles unless it is done.';
comment on function hapax.record_resolution is
  'Takes a person''s word on a step in trouble, under the operation''s lock, where the ledger does not know better.';
comment on function hapax.work_in_hand is
  'How much work the workers have in hand, for admission: numbers of all tenants, and no rows.';
comment on function hapax.find_api_key is 'The key that has a prefix; no row where it is unknown, revoked or expired.';
comment on function hapax.use_api_key is 'Notes that a key was used, at most once a minute.';
