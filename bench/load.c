// The upstream and the load generator of the benchmark: one process, one thread, one epoll loop.
//
// Every byte it sends was prepared by the driver (bench/load.py); it parses no more HTTP than it must. So its
// cost per request is little more than the system calls, which is what lets one core feed and drain proxies
// that have another core to themselves.
//
// Commands come as lines on standard input, each is answered by one line of JSON on standard output:
//
//   listen                           open the upstream's port on 127.0.0.1
//   answer FILE PACE_US              what the upstream answers from now on: FILE is a sequence of pieces, each a
//                                    native 32-bit length and so many bytes, each sent by a write of its own.
//                                    PACE_US between two pieces of one answer; 0 = as fast as the loop turns,
//                                    all answers in turn
//   run PORT FILE CONNS COUNT MS FIRST LAST
//                                    send the request in FILE over CONNS connections, each as soon as the answer
//                                    to the one before is complete, until COUNT were begun or MS have passed.
//                                    FIRST occurs in the first event of an answer that carries content, LAST in
//                                    the final 512 bytes of every complete one ("-": not looked for)
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNS = 8192, MAX_PIECES = 65536, TAIL = 512, HEAD = 16384, READ = 1 << 18 };
static const int64_t GRACE = 60LL * 1000000000;  // after a run's time, for the answers that are under way

typedef enum { FREE, LISTENER, INPUT, TIMER, SERVER, CLIENT } Role;

typedef struct {
  Role role;
  int fd;
  // both: the message being read
  char head[HEAD];
  size_t head_size;
  int in_body;
  int64_t left;  // bytes of the body, or of the current chunk, still to come
  // server: the answer being written
  int answering;  // 1 + index of the piece to be written
  size_t offset;
  int64_t due;  // when it may be written
  int blocked;  // the peer reads more slowly than we write
  // client
  int busy, chunked, chunk_state, status;
  size_t sent;
  int64_t begun, last_read;
  int seen_first;
  double ttft;
  char tail[TAIL];
  size_t tail_size;
} Conn;

static Conn *conns[MAX_CONNS];
static int top;  // one above the highest descriptor in use so far
static int epoll_fd, timer_fd, listener_port;
static char scratch[READ + 1];

static struct { char *data; size_t size; } pieces[MAX_PIECES];
static int piece_count;
static int64_t pace;
static char *pieces_data;

static struct {
  int active, port, connections, begun, target, done, errors, statuses, incomplete, open;
  int64_t deadline, start, end;
  char *request;
  size_t request_size;
  char first[64], last[64];
  uint64_t bytes, reads;
  double *ttft, *latency;  // microseconds
  float *gaps;
  size_t gap_count, gap_room;
  struct rusage usage;
} run;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static Conn *add(int fd, Role role, uint32_t events) {
  if (fd >= MAX_CONNS) die("too many connections");
  if (!conns[fd]) conns[fd] = malloc(sizeof(Conn));
  if (fd >= top) top = fd + 1;
  Conn *c = conns[fd];
  memset(c, 0, sizeof *c);
  c->role = role;
  c->fd = fd;
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  return c;
}

static void watch(Conn *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = c->fd};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

static void drop(Conn *c) {
  close(c->fd);
  c->role = FREE;
}

static void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY);
  struct stat s;
  if (fd < 0 || fstat(fd, &s)) die(path);
  char *data = malloc(s.st_size + 1);
  for (*size = 0; *size < (size_t)s.st_size;) {
    ssize_t n = read(fd, data + *size, s.st_size - *size);
    if (n <= 0) die(path);
    *size += n;
  }
  close(fd);
  return data;
}

static int64_t header(const char *head, const char *name) {
  const char *at = strcasestr(head, name);
  return at ? atoll(at + strlen(name)) : -1;
}

// Take bytes of a message's head; returns how many, and sets in_body when the head is complete.
static size_t take_head(Conn *c, const char *data, size_t size) {
  size_t before = c->head_size, room = HEAD - 1 - before, n = size < room ? size : room;
  memcpy(c->head + before, data, n);
  c->head_size += n;
  c->head[c->head_size] = 0;
  char *end = memmem(c->head, c->head_size, "\r\n\r\n", 4);
  if (!end) return n;
  size_t head_end = end + 4 - c->head;
  c->in_body = 1;
  c->head[head_end] = 0;
  c->head_size = 0;
  return head_end - before;
}

static void note_body(Conn *c, const char *data, size_t size, int64_t t) {
  run.bytes += size;
  if (!c->seen_first && (run.first[0] == '-' || memmem(data, size, run.first, strlen(run.first)))) {
    c->seen_first = 1;
    c->ttft = (t - c->begun) / 1e3;
  }
  if (size >= TAIL) {
    memcpy(c->tail, data + size - TAIL, c->tail_size = TAIL);
    return;
  }
  size_t keep = c->tail_size + size > TAIL ? TAIL - size : c->tail_size;
  memmove(c->tail, c->tail + c->tail_size - keep, keep);
  memcpy(c->tail + keep, data, size);
  c->tail_size = keep + size;
}

// The chunked coding: states 0 size line, 1 data, 2 CR LF after data, 3 the empty line after the last chunk.
static int take_chunked(Conn *c, const char *data, size_t size, int64_t t) {
  for (size_t i = 0; i < size;) {
    if (c->chunk_state == 1) {
      size_t n = size - i < (size_t)c->left ? size - i : (size_t)c->left;
      if (c->role == CLIENT) note_body(c, data + i, n, t);
      i += n;
      if (!(c->left -= n)) c->chunk_state = 2;
      continue;
    }
    char byte = data[i++];
    if (byte != '\n') {
      if (c->chunk_state == 0 && byte != '\r') {
        int digit = byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
        c->left = c->left * 16 + digit;
      }
      continue;
    }
    if (c->chunk_state == 3) return 1;
    if (c->chunk_state == 2) c->chunk_state = 0;
    else c->chunk_state = c->left ? 1 : 3;
    if (c->chunk_state == 0) c->left = 0;
  }
  return 0;
}

// ---- upstream ------------------------------------------------------------------------------------------------

static void write_pieces(Conn *c, int64_t t) {
  while (c->answering && !c->blocked && t >= c->due) {
    int i = c->answering - 1;
    ssize_t n = write(c->fd, pieces[i].data + c->offset, pieces[i].size - c->offset);
    if (n < 0 && errno == EAGAIN) n = 0;
    if (n < 0) return drop(c);
    c->offset += n;
    if (c->offset < pieces[i].size) {
      c->blocked = 1;
      return watch(c, EPOLLIN | EPOLLOUT);
    }
    c->offset = 0;
    c->answering = i + 1 < piece_count ? c->answering + 1 : 0;
    c->due = pace ? c->due + pace : t;
    if (!pace) return;  // the others' turn
  }
}

static void serve(Conn *c, uint32_t events) {
  if (events & EPOLLOUT) {
    c->blocked = 0;
    watch(c, EPOLLIN);
  }
  if (!(events & ~EPOLLOUT)) return;
  ssize_t n = read(c->fd, scratch, READ);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return drop(c);
  size_t used = 0;
  if (!c->in_body) {
    used = take_head(c, scratch, n);
    if (!c->in_body) return;
    c->chunked = strcasestr(c->head, "\r\ntransfer-encoding: chunked") != NULL;
    c->chunk_state = 0;
    c->left = c->chunked ? 0 : header(c->head, "\r\ncontent-length:");
    if (c->left < 0) c->left = 0;
  }
  if (c->chunked) {
    if (!take_chunked(c, scratch + used, n - used, 0)) return;
  } else if ((c->left -= n - used) > 0) {
    return;
  }
  c->in_body = 0;
  c->answering = 1;
  c->due = now();
}

static void set_timer(void) {
  int64_t first = INT64_MAX;
  for (int fd = 0; fd < top; fd++)
    if (conns[fd] && conns[fd]->role == SERVER && conns[fd]->answering && !conns[fd]->blocked)
      if (conns[fd]->due < first) first = conns[fd]->due;
  struct itimerspec at = {0};
  if (first != INT64_MAX) {
    at.it_value.tv_sec = first / 1000000000;
    at.it_value.tv_nsec = first % 1000000000;
  }
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

// ---- load ----------------------------------------------------------------------------------------------------

static void start_request(Conn *c);

static void connect_client(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(run.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (void *)&to, sizeof to)) die("connect");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  no_delay(fd);
  run.open++;
  Conn *c = add(fd, CLIENT, EPOLLIN);
  start_request(c);
}

static void leave(Conn *c) {
  drop(c);
  run.open--;
}

static void send_request(Conn *c) {
  while (c->sent < run.request_size) {
    ssize_t n = write(c->fd, run.request + c->sent, run.request_size - c->sent);
    if (n < 0 && errno == EAGAIN) return watch(c, EPOLLIN | EPOLLOUT);
    if (n < 0) return;  // the read that follows sees the same
    c->sent += n;
  }
  watch(c, EPOLLIN);
}

static void start_request(Conn *c) {
  if (run.begun >= run.target || now() >= run.deadline) return leave(c);
  run.begun++;
  c->busy = 1;
  c->head_size = c->sent = c->tail_size = 0;
  c->in_body = c->chunked = c->chunk_state = c->seen_first = 0;
  c->last_read = 0;
  c->begun = now();
  send_request(c);
}

static void finish_request(Conn *c, int64_t t) {
  c->busy = 0;
  int whole = c->seen_first && (run.last[0] == '-' || memmem(c->tail, c->tail_size, run.last, strlen(run.last)) != NULL);
  if (c->status != 200) run.statuses++;
  else if (!whole) run.incomplete++;
  else {
    run.ttft[run.done] = c->ttft;
    run.latency[run.done++] = (t - c->begun) / 1e3;
  }
  run.end = t;
  start_request(c);
}

static void note_gap(Conn *c, int64_t t) {
  if (c->last_read) {
    if (run.gap_count == run.gap_room) {
      run.gap_room = run.gap_room ? run.gap_room * 2 : 65536;
      run.gaps = realloc(run.gaps, run.gap_room * sizeof *run.gaps);
    }
    run.gaps[run.gap_count++] = (t - c->last_read) / 1e3;
  }
  c->last_read = t;
}

static void drain(Conn *c, uint32_t events) {
  if (events & EPOLLOUT) send_request(c);
  if (!(events & ~EPOLLOUT)) return;
  ssize_t n = read(c->fd, scratch, READ);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    if (c->busy) run.errors++;
    return leave(c);
  }
  int64_t t = now();
  size_t used = 0;
  run.reads++;
  if (!c->in_body) {
    used = take_head(c, scratch, n);
    if (!c->in_body) return;
    c->status = atoi(c->head + 9);
    c->chunked = strcasestr(c->head, "\r\ntransfer-encoding: chunked") != NULL;
    c->left = c->chunked ? 0 : header(c->head, "\r\ncontent-length:");
  }
  if ((size_t)n > used) note_gap(c, t);
  if (c->chunked) {
    if (take_chunked(c, scratch + used, n - used, t)) finish_request(c, t);
    return;
  }
  note_body(c, scratch + used, n - used, t);
  if ((c->left -= n - used) <= 0) finish_request(c, t);
}

static int ascending(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}

static int ascending_float(const void *a, const void *b) {
  float d = *(const float *)a - *(const float *)b;
  return d < 0 ? -1 : d > 0;
}

static void print_quantiles(const char *name, double *values, size_t count) {
  qsort(values, count, sizeof *values, ascending);
#define AT(q) (count ? values[(size_t)((count - 1) * (q))] : 0.0)
  printf(", \"%s\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}", name, AT(.5), AT(.99), AT(1.));
#undef AT
}

static double cpu_seconds(struct rusage *u) {
  return u->ru_utime.tv_sec + u->ru_stime.tv_sec + (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static void end_run(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  for (int fd = 0; fd < top; fd++)
    if (conns[fd] && conns[fd]->role == CLIENT) {
      if (conns[fd]->busy) run.errors++;
      drop(conns[fd]);
    }
  qsort(run.gaps, run.gap_count, sizeof *run.gaps, ascending_float);
#define GAP(q) (run.gap_count ? run.gaps[(size_t)((run.gap_count - 1) * (q))] : 0.0)
  printf("{\"requests\": %d, \"errors\": %d, \"refused\": %d, \"incomplete\": %d, \"seconds\": %.6f, ", run.done,
         run.errors, run.statuses, run.incomplete, (run.end - run.start) / 1e9);
  printf("\"bytes\": %llu, \"reads\": %llu, \"generator_cpu\": %.6f, ", (unsigned long long)run.bytes,
         (unsigned long long)run.reads, cpu_seconds(&usage) - cpu_seconds(&run.usage));
  printf("\"gap\": {\"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}", GAP(.5), GAP(.99), GAP(1.));
#undef GAP
  print_quantiles("ttft", run.ttft, run.done);
  print_quantiles("latency", run.latency, run.done);
  puts("}");
  fflush(stdout);
  free(run.request), free(run.ttft), free(run.latency), free(run.gaps);
  memset(&run, 0, sizeof run);
}

// ---- commands ------------------------------------------------------------------------------------------------

static void listen_upstream(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096) || getsockname(fd, (void *)&at, &size)) die("listen");
  add(fd, LISTENER, EPOLLIN);
  listener_port = ntohs(at.sin_port);
  printf("{\"port\": %d}\n", listener_port);
  fflush(stdout);
}

static void load_answer(const char *path, int64_t pace_us) {
  size_t size;
  free(pieces_data);
  pieces_data = read_file(path, &size);
  pace = pace_us * 1000;
  piece_count = 0;
  for (size_t at = 0; at < size && piece_count < MAX_PIECES; piece_count++) {
    uint32_t length;
    memcpy(&length, pieces_data + at, 4);
    pieces[piece_count].data = pieces_data + at + 4;
    pieces[piece_count].size = length;
    at += 4 + length;
  }
  printf("{\"pieces\": %d}\n", piece_count);
  fflush(stdout);
}

static void command(char *line) {
  char word[32], path[1024];
  long long a;
  int count, ms;
  if (sscanf(line, "%31s", word) != 1) return;
  if (!strcmp(word, "listen")) return listen_upstream();
  if (!strcmp(word, "answer") && sscanf(line, "%*s %1023s %lld", path, &a) == 2) return load_answer(path, a);
  if (!strcmp(word, "run") && sscanf(line, "%*s %d %1023s %d %d %d %63s %63s", &run.port, path, &run.connections,
                                     &count, &ms, run.first, run.last) == 7) {
    run.request = read_file(path, &run.request_size);
    run.target = count;
    run.ttft = malloc((count + 1) * sizeof(double));
    run.latency = malloc((count + 1) * sizeof(double));
    getrusage(RUSAGE_SELF, &run.usage);
    run.active = 1;
    run.start = run.end = now();
    run.deadline = run.start + ms * 1000000LL;
    for (int i = 0; i < run.connections; i++) connect_client();
    return;
  }
  fprintf(stderr, "bad command: %s\n", line);
  exit(2);
}

static void take_input(void) {
  static char line[4096];
  static size_t size;
  ssize_t n = read(0, line + size, sizeof line - 1 - size);
  if (n <= 0) exit(0);  // the driver is gone
  size += n;
  line[size] = 0;
  char *end;
  while ((end = strchr(line, '\n'))) {
    *end = 0;
    command(line);
    size -= end + 1 - line;
    memmove(line, end + 1, size + 1);
  }
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    no_delay(fd);
    add(fd, SERVER, EPOLLIN);
  }
}

int main(void) {
  static struct epoll_event events[512];
  epoll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  add(0, INPUT, EPOLLIN);
  add(timer_fd, TIMER, EPOLLIN);
  for (int ready = 0;;) {
    int n = epoll_wait(epoll_fd, events, 512, ready ? 0 : 1000);
    for (int i = 0; i < n; i++) {
      Conn *c = conns[events[i].data.fd];
      uint64_t ticks;
      switch (c->role) {
        case LISTENER: accept_all(c->fd); break;
        case INPUT: take_input(); break;
        case TIMER: if (read(timer_fd, &ticks, sizeof ticks) < 0) continue; break;
        case SERVER: serve(c, events[i].events); break;
        case CLIENT: drain(c, events[i].events); break;
        case FREE: break;
      }
    }
    int64_t t = now();
    ready = 0;
    for (int fd = 0; fd < top; fd++) {
      Conn *c = conns[fd];
      if (!c || c->role != SERVER || !c->answering) continue;
      write_pieces(c, t);
      if (c->role == SERVER && c->answering && !c->blocked && !pace) ready = 1;
    }
    if (pace) set_timer();
    if (run.active && (!run.open || t > run.deadline + GRACE)) end_run();
  }
}
