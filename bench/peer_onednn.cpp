/* oneDNN's recurrent primitives (version 2): LSTM, GRU with the reset after the product, Elman; training with all
   gradients, inference with weights in the layout that the library asks for, one step. Threads: OMP_NUM_THREADS. */
#include "peer.h"
#include <dnnl.hpp>
#include <unordered_map>
#include <vector>
#if DNNL_VERSION_MAJOR != 2
#error "this peer is written for oneDNN 2"
#endif
using namespace dnnl;
using desc = memory::desc;
using tag = memory::format_tag;
typedef std::unordered_map<int, memory> arguments;

static const rnn_direction ahead = rnn_direction::unidirectional_left2right;
static const auto f32 = memory::data_type::f32;

/* Descriptions of the arrays of a layer: [0] as the caller has them, or [1] with weights laid out by the library. */
struct arrays {
    desc x, h, c, wx, wh, bias, y;
    arrays(const peer_row &r, bool any, bool states, int biases)
        : x({ r.T, r.B, r.I }, f32, tag::tnc), h(states ? desc({ 1, 1, r.B, r.H }, f32, tag::ldnc) : desc()), c(h),
          wx({ 1, 1, r.I, r.gates, r.H }, f32, any ? tag::any : tag::ldigo),
          wh({ 1, 1, r.H, r.gates, r.H }, f32, any ? tag::any : tag::ldigo),
          bias({ 1, 1, biases, r.H }, f32, tag::ldgo), y({ r.T, r.B, r.H }, f32, tag::tnc)
    {
    }
};
struct lstm {
    typedef lstm_forward forward;
    typedef lstm_backward backward;
    static const int biases = 4, cell_state = 1;
    static forward::desc make(prop_kind k, const arrays &a)
    {
        return { k, ahead, a.x, a.h, a.c, a.wx, a.wh, a.bias, a.y, a.h, a.c };
    }
    static backward::desc make(const arrays &a, const arrays &d)
    {
        return { prop_kind::backward, ahead, a.x, a.h, a.c, a.wx, a.wh, a.bias, a.y, a.h, a.c,
                 d.x, d.h, d.c, d.wx, d.wh, d.bias, d.y, d.h, d.c };
    }
};
struct gru {
    typedef lbr_gru_forward forward;
    typedef lbr_gru_backward backward;
    static const int biases = 4, cell_state = 0;
    static forward::desc make(prop_kind k, const arrays &a)
    {
        return { k, ahead, a.x, a.h, a.wx, a.wh, a.bias, a.y, a.h };
    }
    static backward::desc make(const arrays &a, const arrays &d)
    {
        return { prop_kind::backward, ahead, a.x, a.h, a.wx, a.wh, a.bias, a.y, a.h, d.x, d.h, d.wx, d.wh, d.bias, d.y,
                 d.h };
    }
};
struct elman {
    typedef vanilla_rnn_forward forward;
    typedef vanilla_rnn_backward backward;
    static const int biases = 1, cell_state = 0;
    static forward::desc make(prop_kind k, const arrays &a)
    {
        return { k, algorithm::eltwise_tanh, ahead, a.x, a.h, a.wx, a.wh, a.bias, a.y, a.h };
    }
    static backward::desc make(const arrays &a, const arrays &d)
    {
        return { prop_kind::backward, algorithm::eltwise_tanh, ahead, a.x, a.h, a.wx, a.wh, a.bias, a.y, a.h,
                 d.x, d.h, d.wx, d.wh, d.bias, d.y, d.h };
    }
};

/* Primitives in the order of the work. */
struct layer {
    engine eng = engine(engine::kind::cpu, 0);
    stream s = stream(eng);
    std::vector<primitive> step;
    std::vector<arguments> args;
    std::vector<memory> cleared; /* gradients of weights are added to */
    memory take(const desc &d)
    {
        memory m(d, eng);
        float *numbers = peer_numbers((long)(d.get_size() / sizeof(float)));
        memcpy(m.get_data_handle(), numbers, d.get_size());
        free(numbers);
        return m;
    }
    void add(const primitive &p, const arguments &a) { step.push_back(p), args.push_back(a); }
    /* `from` in another layout: itself when it has that, else copied at every run (each_time) or now. */
    memory laid_out(memory from, const desc &to, bool each_time)
    {
        if (from.get_desc() == to) return from;
        memory m(to, eng);
        reorder r(from, m);
        if (each_time)
            add(r, { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, m } });
        else
            r.execute(s, from, m), s.wait();
        return m;
    }
};

template <class cell> static layer *make(const peer_row &r)
{
    const bool train = !strcmp(r.kind, "train"), states = !strcmp(r.kind, "stream");
    layer *l = new layer;
    arrays plain(r, false, states, cell::biases), any(r, true, states, cell::biases);
    typename cell::forward::primitive_desc f(
        cell::make(train ? prop_kind::forward_training : prop_kind::forward_inference, any), l->eng);
    memory wx = l->take(plain.wx), wh = l->take(plain.wh);
    arguments a = { { DNNL_ARG_SRC_LAYER, l->take(plain.x) },
                    { DNNL_ARG_WEIGHTS_LAYER, l->laid_out(wx, f.weights_layer_desc(), train) },
                    { DNNL_ARG_WEIGHTS_ITER, l->laid_out(wh, f.weights_iter_desc(), train) },
                    { DNNL_ARG_BIAS, l->take(plain.bias) },
                    { DNNL_ARG_DST_LAYER, l->take(plain.y) } };
    if (states) a[DNNL_ARG_SRC_ITER] = a[DNNL_ARG_DST_ITER] = l->take(plain.h);
    if (states && cell::cell_state) a[DNNL_ARG_SRC_ITER_C] = a[DNNL_ARG_DST_ITER_C] = l->take(plain.c);
    if (train) a[DNNL_ARG_WORKSPACE] = memory(f.workspace_desc(), l->eng);
    l->add(typename cell::forward(f), a);
    if (!train) return l;

    typename cell::backward::primitive_desc b(cell::make(any, any), l->eng, f);
    a[DNNL_ARG_WEIGHTS_LAYER] = l->laid_out(wx, b.weights_layer_desc(), true);
    a[DNNL_ARG_WEIGHTS_ITER] = l->laid_out(wh, b.weights_iter_desc(), true);
    memory dwx = l->take(b.diff_weights_layer_desc()), dwh = l->take(b.diff_weights_iter_desc());
    memory dbias = l->take(plain.bias);
    l->cleared = { dwx, dwh, dbias };
    a[DNNL_ARG_DIFF_SRC_LAYER] = l->take(plain.x), a[DNNL_ARG_DIFF_DST_LAYER] = l->take(plain.y);
    a[DNNL_ARG_DIFF_WEIGHTS_LAYER] = dwx, a[DNNL_ARG_DIFF_WEIGHTS_ITER] = dwh, a[DNNL_ARG_DIFF_BIAS] = dbias;
    l->add(typename cell::backward(b), a);
    l->laid_out(dwx, plain.wx, true), l->laid_out(dwh, plain.wh, true);
    return l;
}

static void *prepare(const peer_row *r)
{
    try {
        return r->gates == 4 ? make<lstm>(*r) : r->gates == 3 ? make<gru>(*r) : make<elman>(*r);
    } catch (const dnnl::error &e) {
        fprintf(stderr, "onednn: %s\n", e.what());
        return NULL;
    }
}
static void run(void *state)
{
    layer *l = static_cast<layer *>(state);
    for (memory &m : l->cleared) memset(m.get_data_handle(), 0, m.get_desc().get_size());
    for (size_t i = 0; i < l->step.size(); i++) l->step[i].execute(l->s, l->args[i]);
    l->s.wait();
}
int main(int argc, char **argv) { return peer_main(argc, argv, prepare, run); }
