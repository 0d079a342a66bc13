// The update of many parameters at once against the optimizers' definitions, on either backend.
#include <deque>
#include <random>

#include "backend.h"
#include "check.h"
#include "engine/float_array.h"
#include "optimizer_reference.h"

using namespace hpmp;

namespace {

float drawn() {
  static std::mt19937 random(3);
  return std::uniform_real_distribution<float>(-1, 1)(random);
}

std::unique_ptr<Backend> backend_under_test() {
  EngineOptions options;
  options.device = kernel_test::on_gpu() ? DeviceKind::cuda : DeviceKind::cpu;
  return open_backend(options, DType::fp32);
}

/// A parameter whose elements from `first` on are updated.
struct Held {
  Held(Backend& backend, std::int64_t size, std::int64_t start, int states)
      : first(start), grad(backend, size), weight(backend, size) {
    for (int k = 0; k < states; ++k) state.emplace_back(backend, size);
    HostView w(backend, weight);
    for (std::int64_t i = 0; i < size; ++i) expected.push_back({w.data()[i] = drawn(), {}});
    w.give_back();
  }

  UpdateRange range() const {
    UpdateRange r{grad.data() + first, weight.data() + first, {}, grad.size() - first};
    for (std::size_t k = 0; k < state.size(); ++k) r.state[k] = state[k].data() + first;
    return r;
  }
  /// New gradients, and what the reference makes of them.
  void step(Backend& backend, const Optimizer& optimizer, int t) {
    HostView g(backend, grad);
    for (std::int64_t i = 0; i < grad.size(); ++i) {
      g.data()[i] = drawn();
      if (i >= first) expected[static_cast<std::size_t>(i)].step(optimizer, t, g.data()[i]);
    }
    g.give_back();
  }
  void check(Backend& backend) const {
    HostView w(backend, weight);
    for (std::size_t i = 0; i < expected.size(); ++i)
      CHECK_NEAR(w.data()[i], expected[i].weight, 2e-5);
    for (std::size_t k = 0; k < state.size(); ++k) {
      HostView s(backend, state[k]);
      for (std::size_t i = 0; i < expected.size(); ++i)
        CHECK_NEAR(s.data()[i], expected[i].state[k], 2e-5);
    }
  }

  std::int64_t first;
  FloatArray grad, weight;
  std::vector<FloatArray> state;
  std::vector<Element> expected;
};

/// Twenty steps of one routine, recorded where the backend does that.
void check_steps(const Optimizer& optimizer) {
  const std::unique_ptr<Backend> backend = backend_under_test();
  const int states = optimizer_info(optimizer.kind).states;
  std::deque<Held> params;
  for (auto [size, first] : {std::pair{1, 0}, {5, 0}, {4096, 0}, {20000, 0}, {4099, 2}, {12, 4}})
    params.emplace_back(*backend, size, first, states);
  std::vector<UpdateRange> ranges;
  for (const Held& p : params) ranges.push_back(p.range());
  const auto update = backend->make_update(ranges);
  const auto recorded = backend->is_host() ? nullptr : backend->record([&] { update->run(); });
  for (int t = 1; t <= 20; ++t) {
    Optimizer now = optimizer;
    now.lr *= t < 10 ? 1 : 0.25;
    for (Held& p : params) p.step(*backend, now, t);
    backend->begin_step({}, update_rule(now, static_cast<std::uint64_t>(t)));
    (recorded ? *recorded : *update).run();
    backend->finish();
  }
  for (const Held& p : params) p.check(*backend);
}

}  // namespace

TEST(sgd_has_momentum_and_weight_decay) {
  check_steps({OptimizerKind::sgd, 0.05, 0});
  check_steps({OptimizerKind::sgd, 0.05, 0.01, 0.75});
}

TEST(adamw_decays_weights_apart_and_corrects_its_means) {
  check_steps({OptimizerKind::adamw, 0.05, 0});
  check_steps({OptimizerKind::adamw, 0.05, 0.1, 0, 0.5, 0.95, 1e-3});
  check_steps({OptimizerKind::adamw, 0.02, 0.01, 0, 0, 0, 1e-2});
}

TEST(settings_without_a_step_are_refused) {
  const auto rule = [](double beta1, double eps) {
    return update_rule({OptimizerKind::adamw, 0.1, 0, 0, beta1, 0.9, eps}, 1);
  };
  CHECK_THROWS(rule(-0.1, 1e-8), ErrorCode::invalid_argument, "beta1 is -0.1");
  CHECK_THROWS(rule(std::nan(""), 1e-8), ErrorCode::invalid_argument, "beta1");
  CHECK_THROWS(rule(0.9, 0), ErrorCode::invalid_argument, "eps is 0, not a number above 0");
}
